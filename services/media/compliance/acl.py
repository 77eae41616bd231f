"""The anti-corruption layer: translates the events of Licensing and Assets into commands of Compliance."""

import re
from collections.abc import Iterable

from media.assets.v1 import assets_events_pb2 as assets
from media.licensing.v1 import licensing_events_pb2 as licensing
from media.licensing.v2 import licensing_events_pb2 as licensing2
from treaty.rpc import EnumTable

from services.media.compliance.application.commands import (
    CorrectFinding,
    DetectInfringement,
    EndPermission,
    GrantPermission,
    ProlongPermission,
    RegisterWork,
)
from services.media.compliance.domain.events import PermissionGranted
from services.media.compliance.domain.findings import Finding, Kind, Use
from services.media.wire import time_from_wire

_MEDIA = EnumTable(
    {
        "print": licensing.MEDIUM_PRINT,
        "web": licensing.MEDIUM_WEB,
        "social": licensing.MEDIUM_SOCIAL,
        "broadcast": licensing.MEDIUM_BROADCAST,
        "advertising": licensing.MEDIUM_ADVERTISING,
        "packaging": licensing.MEDIUM_PACKAGING,
        "layout": licensing.MEDIUM_LAYOUT,
    }
)

_KINDS = EnumTable(
    {
        Kind.EXCESS: licensing.BREACH_EXCESS,
        Kind.PERIOD: licensing.BREACH_PERIOD,
        Kind.PLACE: licensing.BREACH_TERRITORY,
        Kind.MEDIUM: licensing.BREACH_MEDIUM,
    }
)


def asset_ready(event: assets.AssetReadyForSearch) -> RegisterWork:
    """A picture becomes a work. A hash in another form than is known here is left out."""
    dhash = event.dhash if re.fullmatch("[0-9a-f]{16}", event.dhash) else ""
    return RegisterWork(work_id=event.asset_id, sha256=event.sha256, dhash=dhash)


def license_purchased(event: licensing2.LicensePurchaseConfirmed) -> GrantPermission:
    granted = PermissionGranted(
        work_id=event.asset_id,
        holder_id=event.buyer_id,
        places=tuple(event.territories),
        media=_media(event.media),
        starts_at=time_from_wire(event.starts_at),
        ends_at=time_from_wire(event.ends_at) if event.HasField("ends_at") else None,
        allowed=event.allowed,
        exclusive=event.exclusive,
    )
    return GrantPermission(permission_id=event.license_id, granted=granted)


def license_renewed(event: licensing.LicenseRenewed) -> ProlongPermission:
    ends_at = time_from_wire(event.ends_at) if event.HasField("ends_at") else None
    return ProlongPermission(permission_id=event.license_id, ends_at=ends_at, allowed=event.allowed)


def license_expired(event: licensing.LicenseExpired) -> EndPermission:
    return EndPermission(permission_id=event.license_id, ended_at=time_from_wire(event.expired_at))


def usage_violated(event: licensing.UsageViolationDetected) -> DetectInfringement:
    """All violations of one license are one case. A breach that is not known here is treated as unlicensed."""
    finding = Finding(
        evidence=event.usage_id,
        kinds=tuple(_KINDS.find(breach) or Kind.UNLICENSED for breach in event.breaches) or (Kind.UNLICENSED,),
        use=Use(
            work_id=event.asset_id,
            place=event.territory,
            medium=_MEDIA.find(event.medium) or "unknown",
            used_at=time_from_wire(event.used_at),
        ),
        uses=event.uses,
        holder_id=event.buyer_id,
        permission_id=event.license_id,
        allowed=event.allowed,
    )
    return DetectInfringement(case_id=event.license_id, finding=finding)


def violation_corrected(event: licensing.UsageViolationCorrected) -> CorrectFinding:
    return CorrectFinding(case_id=event.license_id, evidence=event.usage_id, uses=event.uses)


def _media(media: Iterable[licensing.Medium.ValueType]) -> tuple[str, ...]:
    """Returns the names of media. One that is not known here is left out, so that it covers nothing."""
    return tuple(name for medium in media if (name := _MEDIA.find(medium)) is not None)
