"""Translates the domain events of Licensing to integration events."""

from collections.abc import Iterator

from media.licensing.v1 import licensing_events_pb2 as pb
from media.licensing.v2 import licensing_events_pb2 as pb2
from treaty.rpc import EnumTable

from services.media.licensing.domain.events import (
    AssetBecameReady,
    AssetOffered,
    AssetWithdrawn,
    LicensedAssetWithdrawn,
    LicenseesTold,
    LicenseEvent,
    LicenseExpired,
    LicensePurchased,
    LicenseRenewed,
    RightGranted,
    RightProlonged,
    SaleEvent,
    UsageCorrected,
    UsageExceededLicense,
    UsageOutsideLicense,
    UsageReported,
)
from services.media.licensing.domain.license import License
from services.media.licensing.domain.sale import Sale
from services.media.licensing.domain.terms import Medium, Model
from services.media.licensing.domain.usage import Breach, Usage
from services.media.wire import end_to_wire, money_to_wire, time_to_wire

MEDIA = EnumTable(
    {
        Medium.PRINT: pb.MEDIUM_PRINT,
        Medium.WEB: pb.MEDIUM_WEB,
        Medium.SOCIAL: pb.MEDIUM_SOCIAL,
        Medium.BROADCAST: pb.MEDIUM_BROADCAST,
        Medium.ADVERTISING: pb.MEDIUM_ADVERTISING,
        Medium.PACKAGING: pb.MEDIUM_PACKAGING,
        Medium.LAYOUT: pb.MEDIUM_LAYOUT,
    }
)

BREACHES = EnumTable(
    {
        Breach.PERIOD: pb.BREACH_PERIOD,
        Breach.TERRITORY: pb.BREACH_TERRITORY,
        Breach.MEDIUM: pb.BREACH_MEDIUM,
    }
)


def publish_sale(sale: Sale, event: SaleEvent) -> Iterator[pb.AssetOfferedForSale | pb.AssetWithdrawnFromSale]:
    """Policy: announces how an asset is sold, and that it no longer is. A right is announced by its license."""
    match event:
        case AssetOffered():
            yield pb.AssetOfferedForSale(
                asset_id=sale.id, type_ids=event.type_ids, embargo_until=end_to_wire(event.embargo_until)
            )
        case AssetWithdrawn():
            yield pb.AssetWithdrawnFromSale(asset_id=sale.id, reason=event.reason)
        case AssetBecameReady() | LicenseesTold() | RightGranted() | RightProlonged():
            return


Published = (
    pb.LicensePurchaseConfirmed
    | pb2.LicensePurchaseConfirmed
    | pb.LicenseRenewed
    | pb.LicensedAssetWithdrawn
    | pb.LicenseExpired
    | pb.UsageViolationDetected
    | pb.UsageViolationCorrected
)
"""The integration events of `publish_license`."""


def publish_license(license: License, event: LicenseEvent) -> Iterator[Published]:
    """Policy: announces the events of a license that other contexts may rely on. Uses within it are not announced."""
    match event:
        case LicensePurchased():
            yield from _purchased(license, event)
        case LicenseRenewed():
            yield _renewed(license, event)
        case LicensedAssetWithdrawn():
            yield pb.LicensedAssetWithdrawn(
                license_id=license.id, asset_id=license.asset_id, buyer_id=license.buyer_id, reason=event.reason
            )
        case LicenseExpired():
            yield pb.LicenseExpired(
                license_id=license.id,
                asset_id=license.asset_id,
                buyer_id=license.buyer_id,
                expired_at=time_to_wire(event.expired_at),
            )
        case UsageExceededLicense():
            yield _violation(license, event.usage, [pb.BREACH_EXCESS], event.excess)
        case UsageOutsideLicense():
            breaches = [BREACHES.to_wire(breach) for breach in event.breaches]
            yield _violation(license, event.usage, breaches, event.usage.uses)
        case UsageCorrected():
            yield from _corrected(license, event)
        case UsageReported():
            return


def _purchased(
    license: License, event: LicensePurchased
) -> Iterator[pb.LicensePurchaseConfirmed | pb2.LicensePurchaseConfirmed]:
    """Yields a purchase in both versions of the integration event."""
    price, purchased_at = money_to_wire(event.terms.price), time_to_wire(event.purchased_at)
    yield pb.LicensePurchaseConfirmed(
        license_id=license.id,
        asset_id=event.asset_id,
        buyer_id=event.buyer_id,
        price=price,
        purchased_at=purchased_at,
    )
    yield pb2.LicensePurchaseConfirmed(
        license_id=license.id,
        asset_id=event.asset_id,
        buyer_id=event.buyer_id,
        price=price,
        purchased_at=purchased_at,
        territories=event.scope.territories,
        media=[MEDIA.to_wire(medium) for medium in event.scope.media],
        starts_at=time_to_wire(event.period.starts_at),
        ends_at=end_to_wire(event.period.ends_at),
        allowed=event.terms.allowed or 0,
        exclusive=event.terms.exclusive,
        editorial=event.terms.model is Model.EDITORIAL,
    )


def _renewed(license: License, event: LicenseRenewed) -> pb.LicenseRenewed:
    return pb.LicenseRenewed(
        license_id=license.id,
        asset_id=license.asset_id,
        buyer_id=license.buyer_id,
        ends_at=end_to_wire(event.period.ends_at),
        allowed=license.allowed or 0,
        price=money_to_wire(event.price),
    )


def _violation(
    license: License, usage: Usage, breaches: list[pb.Breach.ValueType], uses: int
) -> pb.UsageViolationDetected:
    return pb.UsageViolationDetected(
        license_id=license.id,
        asset_id=license.asset_id,
        buyer_id=license.buyer_id,
        usage_id=usage.usage_id,
        breaches=breaches,
        uses=uses,
        allowed=license.allowed or 0,
        used_at=time_to_wire(usage.used_at),
        territory=usage.territory,
        medium=MEDIA.to_wire(usage.medium),
    )


def _corrected(
    license: License, event: UsageCorrected
) -> Iterator[pb.UsageViolationCorrected | pb.UsageViolationDetected]:
    """Yields the uses that are a violation no longer, or those that are added outside of the license.

    More uses within it that are too many follow as an excess of their own.
    """
    gone = event.usage.uses - event.uses if event.outside else event.forgiven
    report = license.report_of(event.usage.usage_id)
    if event.outside and gone < 0 and report is not None:
        breaches = [BREACHES.to_wire(breach) for breach in report.breaches]
        yield _violation(license, event.usage, breaches, -gone)
    if gone > 0:
        yield pb.UsageViolationCorrected(
            license_id=license.id,
            asset_id=license.asset_id,
            buyer_id=license.buyer_id,
            usage_id=event.usage.usage_id,
            uses=gone,
        )
