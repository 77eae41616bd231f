"""The sale aggregate: the sale of one asset, which guards that exclusive rights are granted once.

It keeps where and when rights are granted. Rights that are not exclusive, and that have the same scope and adjoining
periods, are kept as one. So its size depends on the number of different scopes, and not on the number of buyers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Conflict, Invalid, Rejected

from services.media.licensing.domain.events import (
    AssetBecameReady,
    AssetOffered,
    AssetWithdrawn,
    LicenseesTold,
    RightGranted,
    RightProlonged,
    SaleEvent,
)
from services.media.licensing.domain.terms import Period, Scope, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Rights that were granted for a scope and a period: one exclusive right, or several that are not."""

    scope: Scope
    period: Period
    exclusive: bool

    def overlaps(self, scope: Scope, period: Period) -> bool:
        return self.scope.overlaps(scope) and self.period.overlaps(period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A license that is prolonged from `starts_at` on, which is still to come."""

    license_id: str
    starts_at: datetime


@dataclass(slots=True, kw_only=True)
class Sale(Aggregate[SaleEvent]):
    """The sale of one asset. Its id is the asset's.

    A sale that was offered before `ready` was recorded goes on, but its offer is changed only when the asset is ready.
    """

    ready: bool = False
    editorial_only: bool = False
    type_ids: tuple[str, ...] = ()
    embargo_until: datetime | None = None
    withdrawn: bool = False
    withdrawals: int = 0
    reason: str = ""
    rights: tuple[Right, ...] = ()
    renewals: tuple[Renewal, ...] = ()

    def make_ready(self, *, editorial_only: bool) -> None:
        if not self.ready or editorial_only != self.editorial_only:
            self.record(AssetBecameReady(editorial_only=editorial_only))

    def offer(self, types: Mapping[str, Terms], embargo_until: datetime | None) -> None:
        """Offers licenses of these types, by their ids. An asset that was withdrawn is on sale again."""
        wanted = tuple(types)
        if not wanted:
            raise Invalid("an asset is offered with at least one license type", field="type_ids")
        if not self.withdrawn and (wanted, embargo_until) == (self.type_ids, self.embargo_until):
            return
        if not self.ready:
            raise Rejected(
                f"asset {self.id} is not known as a picture that is ready: offer it when the search finds it",
                reason="ASSET_NOT_READY",
            )
        for type_id, terms in types.items():
            self._check_releases(type_id, terms)
        self.record(AssetOffered(type_ids=wanted, embargo_until=embargo_until))

    def withdraw(self, reason: str) -> None:
        if not self.type_ids:
            raise Rejected(f"asset {self.id} is not offered", reason="ASSET_NOT_OFFERED")
        if not self.withdrawn:
            self.record(AssetWithdrawn(reason=reason))

    def is_withdrawn_by(self, withdrawal: int) -> bool:
        """Returns whether this withdrawal is the latest one, and the asset was not offered again since."""
        return self.withdrawn and self.withdrawals == withdrawal

    def note_told(self, withdrawal: int, purchased_at: datetime, license_id: str) -> None:
        """Records how far the licensees were told, so that the others follow."""
        if self.is_withdrawn_by(withdrawal):
            self.record(LicenseesTold(withdrawal=withdrawal, purchased_at=purchased_at, license_id=license_id))

    def grant(
        self,
        *,
        license_id: str,
        buyer_id: str,
        type_id: str,
        terms: Terms,
        scope: Scope,
        starts_at: datetime,
        now: datetime,
    ) -> None:
        """Grants a right to a buyer, if no exclusive right stands in the way."""
        self._check_on_sale(type_id, terms)
        if not terms.scope.contains(scope):
            raise Invalid(f"license type {type_id} is not for all of these territories and media", field="territories")
        if starts_at < now:
            raise Invalid("a license cannot start before it is purchased", field="starts_at")
        if self.embargo_until is not None and starts_at < self.embargo_until:
            raise Rejected(
                f"asset {self.id} is embargoed: let the license start at {self.embargo_until:%Y-%m-%d %H:%M} UTC",
                reason="ASSET_EMBARGOED",
            )
        period = terms.period_from(starts_at)
        self._check_free(scope, period, terms.exclusive)
        self.record(
            RightGranted(
                license_id=license_id,
                buyer_id=buyer_id,
                type_id=type_id,
                terms=terms,
                scope=scope,
                period=period,
                granted_at=now,
            )
        )

    def prolong(
        self,
        *,
        license_id: str,
        renewal_id: str,
        type_id: str,
        terms: Terms,
        scope: Scope,
        ends_at: datetime,
        now: datetime,
    ) -> None:
        """Grants the right of a license for another period, which begins at its end, once."""
        self._check_on_sale(type_id, terms)
        if ends_at <= now:
            raise Rejected(f"license {license_id} has expired: purchase another one", reason="LICENSE_EXPIRED")
        if Renewal(license_id=license_id, starts_at=ends_at) in self.renewals:
            raise Conflict(f"license {license_id} was renewed a moment ago: read it again", reason="RENEWED_ALREADY")
        period = terms.period_from(ends_at)
        self._check_free(scope, period, terms.exclusive)
        self.record(
            RightProlonged(
                license_id=license_id,
                renewal_id=renewal_id,
                terms=terms,
                scope=scope,
                period=period,
                granted_at=now,
            )
        )

    def _check_releases(self, type_id: str, terms: Terms) -> None:
        if self.editorial_only and terms.model.needs_releases:
            raise Rejected(
                f"asset {self.id} has no releases, so it is sold for news alone, and not with license type {type_id}",
                reason="RELEASES_MISSING",
            )

    def _check_on_sale(self, type_id: str, terms: Terms) -> None:
        """Checks the terms too: a type may have been defined again since the offer."""
        if not self.type_ids:
            raise Rejected(f"asset {self.id} is not offered", reason="ASSET_NOT_OFFERED")
        if self.withdrawn:
            raise Rejected(f"asset {self.id} was withdrawn from sale", reason="ASSET_WITHDRAWN")
        if type_id not in self.type_ids:
            raise Rejected(
                f"asset {self.id} is not offered with license type {type_id}: choose one of {', '.join(self.type_ids)}",
                reason="LICENSE_TYPE_NOT_OFFERED",
            )
        self._check_releases(type_id, terms)

    def _check_free(self, scope: Scope, period: Period, exclusive: bool) -> None:
        for right in self.rights:
            if right.overlaps(scope, period) and (exclusive or right.exclusive):
                raise Rejected(
                    f"asset {self.id} cannot be licensed{' exclusively' if exclusive else ''} there and then: "
                    f"{_described(right)}",
                    reason="EXCLUSIVELY_LICENSED" if right.exclusive else "LICENSED_ALREADY",
                    details={"until": _end(right.period)},
                )

    def evolve(self, event: SaleEvent) -> None:
        match event:
            case AssetBecameReady():
                self.ready, self.editorial_only = True, event.editorial_only
            case AssetOffered():
                self.type_ids, self.embargo_until, self.withdrawn = event.type_ids, event.embargo_until, False
            case AssetWithdrawn():
                self.withdrawn, self.reason = True, event.reason
                self.withdrawals += 1
            case LicenseesTold():
                pass
            case RightGranted():
                self._add(event)
            case RightProlonged():
                self._add(event)
                renewal = Renewal(license_id=event.license_id, starts_at=event.period.starts_at)
                self.renewals = (*(one for one in self.renewals if one.starts_at > event.granted_at), renewal)

    def _add(self, event: RightGranted | RightProlonged) -> None:
        right = Right(scope=event.scope, period=event.period, exclusive=event.terms.exclusive)
        self.rights = _with(self.rights, right, event.granted_at)


def _with(rights: Sequence[Right], new: Right, now: datetime) -> tuple[Right, ...]:
    """Returns the rights with a new one, and without those that have ended."""
    live = [right for right in rights if right.period.ends_at is None or right.period.ends_at > now]
    others = []
    for right in live:
        if not new.exclusive and not right.exclusive and right.scope == new.scope and right.period.touches(new.period):
            new = Right(scope=new.scope, period=new.period.joined(right.period), exclusive=False)
        else:
            others.append(right)
    return (*others, new)


def _described(right: Right) -> str:
    kind = "an exclusive license" if right.exclusive else "another license"
    return (
        f"{kind} is for {', '.join(right.scope.territories)} and {', '.join(right.scope.media)}, {_end(right.period)}"
    )


def _end(period: Period) -> str:
    return "without end" if period.ends_at is None else f"until {period.ends_at:%Y-%m-%dT%H:%M:%SZ}"
