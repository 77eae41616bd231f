"""The license aggregate: purchased once, used within its scope and period, and counted exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

from services.media.licensing.domain.events import (
    LicensedAssetWithdrawn,
    LicenseEvent,
    LicenseExpired,
    LicensePurchased,
    LicenseRenewed,
    RightGranted,
    RightProlonged,
    UsageCorrected,
    UsageExceededLicense,
    UsageOutsideLicense,
    UsageReported,
)
from services.media.licensing.domain.terms import Period, Scope, Terms
from services.media.licensing.domain.usage import Breach, Report, Usage

LATE_AFTER = timedelta(days=30)
"""The time after a use from which its report is late."""

KEPT = 100
"""The number of the latest reports that a license keeps: these can be corrected, and are recognised by their ids."""

AHEAD = timedelta(minutes=5)
"""How far the clock of a reporter may be ahead of ours."""


class Status(StrEnum):
    NEW = "new"
    LIVE = "live"
    EXPIRED = "expired"


@dataclass(slots=True, kw_only=True)
class License(Aggregate[LicenseEvent]):
    """The license of one buyer for one asset.

    `counted` is the number of uses within the license; it is never more than `allowed`. `excess` is the number of uses
    beyond it, and `outside` that of uses outside of its scope or period. `told` is the latest withdrawal of its asset
    that its buyer was told of.
    """

    status: Status = Status.NEW
    asset_id: str = ""
    buyer_id: str = ""
    type_id: str = ""
    terms: Terms | None = None
    scope: Scope | None = None
    period: Period | None = None
    purchased_at: datetime | None = None
    allowed: int | None = 0
    counted: int = 0
    excess: int = 0
    outside: int = 0
    reports: tuple[Report, ...] = ()
    told: int = 0

    def purchase(self, asset_id: str, right: RightGranted) -> None:
        if self.status is not Status.NEW:
            raise Rejected(f"license {self.id} was purchased already", reason="LICENSE_PURCHASED_ALREADY")
        self.record(
            LicensePurchased(
                asset_id=asset_id,
                buyer_id=right.buyer_id,
                type_id=right.type_id,
                terms=right.terms,
                scope=right.scope,
                period=right.period,
                purchased_at=right.granted_at,
            )
        )

    def report(self, usages: Sequence[Usage], now: datetime) -> None:
        """Records uses, all of them or none. A use that was reported before in the same words changes nothing."""
        self._must_be_purchased()
        for usage in usages:
            self._report(usage, now)

    def correct(self, usage_id: str, uses: int) -> None:
        """Changes the number of uses of a report; 0 takes it back. Uses that are taken off reduce the excess first."""
        self._must_be_purchased()
        if uses < 0:
            raise Invalid("a report is corrected to 0 uses or more", field="uses")
        report = self.report_of(usage_id)
        if report is None:
            raise Rejected(
                f"license {self.id} has no report {usage_id} among its latest {KEPT}, which can be corrected",
                reason="REPORT_NOT_KEPT",
            )
        if uses != report.usage.uses:
            self._correct(report, uses)

    def expire(self, ends_at: datetime) -> None:
        """Ends the license, unless it was renewed since the timer for this end was set."""
        if self.status is Status.LIVE and self.period is not None and self.period.ends_at == ends_at:
            self.record(LicenseExpired(expired_at=ends_at))

    def note_withdrawal(self, withdrawal: int, reason: str) -> None:
        """Records that its asset is no longer sold, once for each withdrawal; nothing for an expired license."""
        if self.must_hear_of(withdrawal):
            self.record(LicensedAssetWithdrawn(withdrawal=withdrawal, reason=reason))

    def must_hear_of(self, withdrawal: int) -> bool:
        return self.status is Status.LIVE and withdrawal > self.told

    def renewable(self) -> tuple[Terms, Scope, datetime]:
        """Returns the terms, the scope and the end, for another period.

        Raises:
            Rejected: if the license has expired or has no end.
        """
        self._must_be_purchased()
        assert self.terms is not None
        assert self.scope is not None
        assert self.period is not None
        if self.status is Status.EXPIRED:
            raise Rejected(f"license {self.id} has expired: purchase another one", reason="LICENSE_EXPIRED")
        if self.period.ends_at is None:
            raise Rejected(f"license {self.id} has no end, so it needs no renewal", reason="LICENSE_WITHOUT_END")
        return self.terms, self.scope, self.period.ends_at

    def renew(self, right: RightProlonged) -> None:
        """Adds a period, and its uses. The right is granted already, so this is never refused."""
        self._must_be_purchased()
        assert self.period is not None
        self.record(
            LicenseRenewed(
                renewal_id=right.renewal_id,
                period=Period(starts_at=self.period.starts_at, ends_at=right.period.ends_at),
                added=right.terms.allowed,
                price=right.terms.price,
                renewed_at=right.granted_at,
            )
        )

    @property
    def left(self) -> int | None:
        """The number of uses that the license still allows; None if they are not limited."""
        return None if self.allowed is None else self.allowed - self.counted

    def report_of(self, usage_id: str) -> Report | None:
        return next((report for report in self.reports if report.usage.usage_id == usage_id), None)

    def _must_be_purchased(self) -> None:
        if self.status is Status.NEW:
            raise Rejected(f"license {self.id} was not purchased", reason="LICENSE_NOT_PURCHASED")

    def _report(self, usage: Usage, now: datetime) -> None:
        if usage.uses < 1:
            raise Invalid(f"usage {usage.usage_id} has no use: report one or more", field="uses")
        if usage.used_at > now + AHEAD:
            raise Invalid(f"usage {usage.usage_id} is in the future: report it when it has happened", field="used_at")
        known = self.report_of(usage.usage_id)
        if known is None:
            self._record_report(usage, now)
        elif known.corrections == 0 and known.usage != usage:
            raise Rejected(
                f"usage {usage.usage_id} was reported with other values: correct that report, or use another id",
                reason="USAGE_REPORTED_ALREADY",
            )

    def _record_report(self, usage: Usage, now: datetime) -> None:
        late = now - usage.used_at > LATE_AFTER or self.status is Status.EXPIRED
        breaches = self._breaches(usage)
        if breaches:
            self.record(UsageOutsideLicense(asset_id=self.asset_id, usage=usage, breaches=breaches, late=late))
            return
        excess = self._excess_of(usage.uses)
        self.record(UsageReported(asset_id=self.asset_id, usage=usage, late=late))
        self._exceed(usage, excess)

    def _breaches(self, usage: Usage) -> tuple[Breach, ...]:
        assert self.scope is not None
        assert self.period is not None
        found = {
            Breach.PERIOD: not self.period.has(usage.used_at),
            Breach.TERRITORY: not self.scope.has_territory(usage.territory),
            Breach.MEDIUM: usage.medium not in self.scope.media,
        }
        return tuple(breach for breach, is_there in found.items() if is_there)

    def _excess_of(self, uses: int) -> int:
        """Returns how many of these uses the license does not allow."""
        return 0 if self.left is None else max(uses - self.left, 0)

    def _exceed(self, usage: Usage, excess: int) -> None:
        if excess:
            self.record(UsageExceededLicense(asset_id=self.asset_id, usage=usage, excess=excess))

    def _correct(self, report: Report, uses: int) -> None:
        more, outside = uses - report.usage.uses, bool(report.breaches)
        forgiven = 0 if outside else min(max(-more, 0), self.excess)
        excess = 0 if outside else self._excess_of(max(more, 0))
        self.record(
            UsageCorrected(asset_id=self.asset_id, usage=report.usage, uses=uses, forgiven=forgiven, outside=outside)
        )
        self._exceed(replace(report.usage, uses=uses), excess)

    def evolve(self, event: LicenseEvent) -> None:
        match event:
            case LicensePurchased():
                self._evolve_purchase(event)
            case LicenseRenewed():
                self.status, self.period = Status.LIVE, event.period
                self.allowed = None if self.allowed is None or event.added is None else self.allowed + event.added
            case LicensedAssetWithdrawn():
                self.told = event.withdrawal
            case LicenseExpired():
                self.status = Status.EXPIRED
            case UsageReported():
                self._count(event.usage.uses)
                self._keep(Report(usage=event.usage))
            case UsageExceededLicense():
                self._keep_excess(event)
            case UsageOutsideLicense():
                self.outside += event.usage.uses
                self._keep(Report(usage=event.usage, breaches=event.breaches))
            case UsageCorrected():
                self._evolve_correction(event)

    def _evolve_purchase(self, event: LicensePurchased) -> None:
        self.status, self.purchased_at = Status.LIVE, event.purchased_at
        self.asset_id, self.buyer_id, self.type_id = event.asset_id, event.buyer_id, event.type_id
        self.terms, self.scope, self.period = event.terms, event.scope, event.period
        self.allowed = event.terms.allowed

    def _count(self, uses: int) -> None:
        """Counts uses as far as the license allows them; the others are excess."""
        excess = self._excess_of(uses)
        self.counted += uses - excess
        self.excess += excess

    def _keep(self, report: Report) -> None:
        self.reports = (*self.reports[-KEPT + 1 :], report)

    def _keep_excess(self, event: UsageExceededLicense) -> None:
        self.reports = tuple(
            replace(report, excess=report.excess + event.excess)
            if report.usage.usage_id == event.usage.usage_id
            else report
            for report in self.reports
        )

    def _evolve_correction(self, event: UsageCorrected) -> None:
        more = event.uses - event.usage.uses
        if event.outside:
            self.outside += more
        elif more > 0:
            self._count(more)
        else:
            self.excess -= event.forgiven
            self.counted += more + event.forgiven
        self.reports = tuple(
            replace(report, usage=replace(report.usage, uses=event.uses), corrections=report.corrections + 1)
            if report.usage.usage_id == event.usage.usage_id
            else report
            for report in self.reports
        )
