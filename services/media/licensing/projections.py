"""The read models of Licensing: license types, licenses with their uses, and the uses and purchases of each day."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.media.licensing.domain.events import (
    LicensedAssetWithdrawn,
    LicenseEvent,
    LicenseExpired,
    LicensePurchased,
    LicenseRenewed,
    LicenseTypeDefined,
    UsageCorrected,
    UsageExceededLicense,
    UsageOutsideLicense,
    UsageReported,
)
from services.media.licensing.domain.license import Status
from services.media.licensing.domain.terms import Medium, Terms
from services.media.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseTypeRow:
    """A license type in a list."""

    type_id: str
    name: str
    terms: Terms


def license_type(type_id: str, row: LicenseTypeRow | None, event: LicenseTypeDefined) -> LicenseTypeRow:
    return LicenseTypeRow(type_id=type_id, name=event.name, terms=event.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRow:
    """A license in a list. It is `usable` until it expires or all its uses are counted."""

    license_id: str
    asset_id: str
    buyer_id: str
    type_id: str
    status: Status
    territories: tuple[str, ...]
    media: tuple[Medium, ...]
    exclusive: bool
    starts_at: datetime
    ends_at: datetime | None
    price: Money
    purchased_at: datetime
    allowed: int | None
    reported: int = 0
    excess: int = 0
    outside: int = 0
    usable: bool = True

    @property
    def counted(self) -> int:
        """The number of uses within the license."""
        return self.reported - self.excess

    @property
    def left(self) -> int | None:
        """The number of uses that are still allowed; None if they are not limited."""
        return None if self.allowed is None else self.allowed - self.counted


def license_row(license_id: str, row: LicenseRow | None, event: LicenseEvent) -> LicenseRow | None:
    """Projects an event of a license onto its row."""
    if isinstance(event, LicensePurchased):
        return _purchased(license_id, event)
    if row is None:
        return None
    after = _changed(row, event)
    return replace(after, usable=after.status is Status.LIVE and after.left != 0)


def _purchased(license_id: str, event: LicensePurchased) -> LicenseRow:
    return LicenseRow(
        license_id=license_id,
        asset_id=event.asset_id,
        buyer_id=event.buyer_id,
        type_id=event.type_id,
        status=Status.LIVE,
        territories=event.scope.territories,
        media=event.scope.media,
        exclusive=event.terms.exclusive,
        starts_at=event.period.starts_at,
        ends_at=event.period.ends_at,
        price=event.terms.price,
        purchased_at=event.purchased_at,
        allowed=event.terms.allowed,
    )


def _changed(row: LicenseRow, event: LicenseEvent) -> LicenseRow:
    match event:
        case LicenseRenewed():
            allowed = None if row.allowed is None or event.added is None else row.allowed + event.added
            return replace(row, status=Status.LIVE, ends_at=event.period.ends_at, allowed=allowed)
        case LicenseExpired():
            return replace(row, status=Status.EXPIRED)
        case UsageReported():
            return replace(row, reported=row.reported + event.usage.uses)
        case UsageExceededLicense():
            return replace(row, excess=row.excess + event.excess)
        case UsageOutsideLicense():
            return replace(row, outside=row.outside + event.usage.uses)
        case UsageCorrected():
            more = event.uses - event.usage.uses
            if event.outside:
                return replace(row, outside=row.outside + more)
            return replace(row, reported=row.reported + more, excess=row.excess - event.forgiven)
        case LicensePurchased() | LicensedAssetWithdrawn():
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    """The reported uses of one asset on one day, in UTC, by the time of the use.

    `uses` are those in the scope and period of their licenses; `excess` of them were beyond the allowed number, and
    `forgiven` is the part of the excess that corrections of this day's reports have removed. `outside` are the others.
    """

    day: str
    asset_id: str
    reports: int = 0
    uses: int = 0
    excess: int = 0
    forgiven: int = 0
    outside: int = 0
    late: int = 0


def usage_day(license_id: str, event: LicenseEvent) -> str | None:
    """Returns the id of the row of an event, made of its day and asset, or None if the event is no use."""
    match event:
        case UsageReported() | UsageExceededLicense() | UsageOutsideLicense() | UsageCorrected():
            return f"{event.usage.used_at:%Y-%m-%d}/{event.asset_id}"
        case _:
            return None


def usage_by_day(id: str, row: UsageDay | None, event: LicenseEvent) -> UsageDay | None:
    """Adds an event to the row of its day. The sums do not depend on the sequence of the events."""
    day, _, asset_id = id.partition("/")
    row = row or UsageDay(day=day, asset_id=asset_id)
    match event:
        case UsageReported():
            return replace(
                row, reports=row.reports + 1, uses=row.uses + event.usage.uses, late=row.late + int(event.late)
            )
        case UsageOutsideLicense():
            return replace(
                row, reports=row.reports + 1, outside=row.outside + event.usage.uses, late=row.late + int(event.late)
            )
        case UsageExceededLicense():
            return replace(row, excess=row.excess + event.excess)
        case UsageCorrected():
            return _corrected(row, event)
        case _:
            return row


def _corrected(row: UsageDay, event: UsageCorrected) -> UsageDay:
    more = event.uses - event.usage.uses
    if event.outside:
        return replace(row, outside=row.outside + more)
    return replace(row, uses=row.uses + more, forgiven=row.forgiven + event.forgiven)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDay:
    """The purchases and renewals of one day, in UTC and in one currency. `revenue` is in minor units."""

    day: str
    currency: str
    purchases: int = 0
    renewals: int = 0
    revenue: int = 0


def purchase_day(license_id: str, event: LicenseEvent) -> str | None:
    """Returns the id of the row of an event, made of its day and currency, or None if nothing was sold."""
    match event:
        case LicensePurchased():
            return f"{event.purchased_at:%Y-%m-%d}/{event.terms.price.currency}"
        case LicenseRenewed():
            return f"{event.renewed_at:%Y-%m-%d}/{event.price.currency}"
        case _:
            return None


def purchases_by_day(id: str, row: PurchaseDay | None, event: LicenseEvent) -> PurchaseDay | None:
    """Adds a purchase or a renewal to the row of its day."""
    day, _, currency = id.partition("/")
    row = row or PurchaseDay(day=day, currency=currency)
    match event:
        case LicensePurchased():
            return replace(row, purchases=row.purchases + 1, revenue=row.revenue + event.terms.price.minor_units)
        case LicenseRenewed():
            return replace(row, renewals=row.renewals + 1, revenue=row.revenue + event.price.minor_units)
        case _:
            return row
