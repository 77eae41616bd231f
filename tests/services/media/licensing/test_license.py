"""The license: purchased once, used within its terms, counted exactly."""

from datetime import timedelta
from typing import Any

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.media.licensing.domain.events import (
    LicensedAssetWithdrawn,
    LicenseExpired,
    LicenseRenewed,
    RightProlonged,
    UsageCorrected,
    UsageExceededLicense,
    UsageOutsideLicense,
    UsageReported,
)
from services.media.licensing.domain.license import KEPT, License, Status
from services.media.licensing.domain.terms import Medium, Period
from services.media.licensing.domain.usage import Breach, Usage
from services.media.money import Money
from tests.services.media.licensing.terms import MONTH, NOW, ROYALTY_FREE, purchased, right, terms, usage

LATER = NOW + timedelta(days=2)
BOUGHT = [purchased()]


def reported(usage: Usage, *, late: bool = False) -> UsageReported:
    return UsageReported(asset_id="sunset", usage=usage, late=late)


def exceeded(usage: Usage, excess: int) -> UsageExceededLicense:
    return UsageExceededLicense(asset_id="sunset", usage=usage, excess=excess)


def corrected(usage: Usage, uses: int, *, forgiven: int = 0, outside: bool = False) -> UsageCorrected:
    return UsageCorrected(asset_id="sunset", usage=usage, uses=uses, forgiven=forgiven, outside=outside)


def report(*usages: Usage, now: Any = LATER) -> Any:
    return lambda it: it.report(usages, now)


FULL = [*BOUGHT, reported(usage("u-0", 10))]
OVER = [*FULL, reported(usage("u-9", 4)), exceeded(usage("u-9", 4), 4)]


def test_a_license_is_purchased_once() -> None:
    bought = given(License, "l-1").when(lambda it: it.purchase("sunset", right())).then([purchased()])
    assert (bought.status, bought.left) == (Status.LIVE, 10)
    again = given(License, "l-1", BOUGHT).when(lambda it: it.purchase("sunset", right()))
    again.then_raises(Rejected, "LICENSE_PURCHASED_ALREADY")


def test_a_license_is_not_used_before_it_is_purchased() -> None:
    given(License, "l-1").when(report(usage())).then_raises(Rejected, "LICENSE_NOT_PURCHASED")


def test_uses_within_a_license_count() -> None:
    two = [usage("u-1", 4), usage("u-2", 6)]
    license = given(License, "l-1", BOUGHT).when(report(*two)).then([reported(one) for one in two])
    assert (license.counted, license.left, license.excess) == (10, 0, 0)


def test_uses_beyond_a_license_are_recorded_once_for_each_excess() -> None:
    one, two = usage("u-1", 12), usage("u-2", 3)
    license = given(License, "l-1", BOUGHT).when(report(one, two))
    after = license.then([reported(one), exceeded(one, 2), reported(two), exceeded(two, 3)])
    assert (after.counted, after.left, after.excess) == (10, 0, 5)


def test_a_report_that_is_repeated_changes_nothing_and_one_with_other_values_is_refused() -> None:
    known = [*BOUGHT, reported(usage("u-1", 4))]
    given(License, "l-1", known).when(report(usage("u-1", 4))).then_nothing()
    given(License, "l-1", BOUGHT).when(report(usage("u-1", 4), usage("u-1", 4))).then([reported(usage("u-1", 4))])
    other = given(License, "l-1", known).when(report(usage("u-2"), usage("u-1", 5)))
    other.then_raises(Rejected, "USAGE_REPORTED_ALREADY")


def test_a_license_without_limit_is_never_exceeded() -> None:
    endless = purchased(terms(allowed=None))
    license = given(License, "l-1", [endless]).when(report(usage(uses=10**9))).state
    assert (license.counted, license.left, license.excess) == (10**9, None, 0)


@pytest.mark.parametrize(
    ("values", "breaches"),
    [
        ({"used_at": NOW - timedelta(milliseconds=1)}, (Breach.PERIOD,)),
        ({"used_at": NOW + MONTH}, (Breach.PERIOD,)),
        ({"territory": "US"}, (Breach.TERRITORY,)),
        ({"territory": "WORLD"}, (Breach.TERRITORY,)),
        ({"medium": Medium.ADVERTISING}, (Breach.MEDIUM,)),
        (
            {"used_at": NOW + MONTH, "territory": "US", "medium": Medium.PRINT},
            (Breach.PERIOD, Breach.TERRITORY, Breach.MEDIUM),
        ),
    ],
)
def test_a_use_outside_of_a_license_does_not_count(values: dict[str, Any], breaches: tuple[Breach, ...]) -> None:
    stray = usage("u-1", 3, **values)
    event = UsageOutsideLicense(asset_id="sunset", usage=stray, breaches=breaches, late=False)
    license = given(License, "l-1", BOUGHT).when(report(stray, now=max(stray.used_at, LATER))).then([event])
    assert (license.counted, license.excess, license.outside) == (0, 0, 3)


def test_the_first_and_the_last_moment_of_the_period_are_within_it() -> None:
    first, last = usage("u-1", used_at=NOW), usage("u-2", used_at=NOW + MONTH - timedelta(milliseconds=1))
    license = given(License, "l-1", BOUGHT).when(report(first, last, now=NOW + MONTH)).state
    assert license.counted == 2


def test_a_use_in_the_future_and_a_use_without_number_are_refused() -> None:
    ahead = given(License, "l-1", BOUGHT).when(report(usage(used_at=LATER + timedelta(minutes=6)), now=LATER))
    assert ahead.then_raises(Invalid).field == "used_at"
    assert given(License, "l-1", BOUGHT).when(report(usage(uses=0))).then_raises(Invalid).field == "uses"


def test_a_report_a_month_after_the_use_is_late_and_counts() -> None:
    one = usage(used_at=NOW + timedelta(days=1))
    after = given(License, "l-1", BOUGHT).when(report(one, now=NOW + timedelta(days=31, seconds=1)))
    assert after.then([reported(one, late=True)]).counted == 1


def test_a_report_after_the_expiry_of_a_use_before_it_is_late_and_counts() -> None:
    expired = [*BOUGHT, LicenseExpired(expired_at=NOW + MONTH)]
    one = usage(used_at=NOW + MONTH - timedelta(seconds=1))
    given(License, "l-1", expired).when(report(one, now=NOW + MONTH)).then([reported(one, late=True)])


def test_a_license_expires_once() -> None:
    end = NOW + MONTH
    expired = given(License, "l-1", BOUGHT).when(lambda it: it.expire(end)).then([LicenseExpired(expired_at=end)])
    assert expired.status is Status.EXPIRED
    given(License, "l-1", [*BOUGHT, LicenseExpired(expired_at=end)]).when(lambda it: it.expire(end)).then_nothing()


RENEWED = LicenseRenewed(
    renewal_id="r-1",
    period=Period(starts_at=NOW, ends_at=NOW + 2 * MONTH),
    added=10,
    price=Money(20_000, "EUR"),
    renewed_at=LATER,
)
PROLONGED = RightProlonged(
    license_id="l-1",
    renewal_id="r-1",
    terms=terms(),
    scope=terms().scope,
    period=Period(starts_at=NOW + MONTH, ends_at=NOW + 2 * MONTH),
    granted_at=LATER,
)


def test_a_renewal_adds_uses_and_time_and_forgives_nothing() -> None:
    renewed = given(License, "l-1", OVER).when(lambda it: it.renew(PROLONGED)).then([RENEWED])
    assert (renewed.allowed, renewed.left, renewed.excess) == (20, 10, 4)


def test_the_timer_of_the_end_before_a_renewal_does_nothing() -> None:
    given(License, "l-1", [*BOUGHT, RENEWED]).when(lambda it: it.expire(NOW + MONTH)).then_nothing()
    assert given(License, "l-1", [*BOUGHT, RENEWED]).when(lambda it: it.expire(NOW + 2 * MONTH)).events


def test_a_renewal_that_was_granted_before_the_expiry_makes_the_license_live_again() -> None:
    expired = [*BOUGHT, LicenseExpired(expired_at=NOW + MONTH)]
    assert given(License, "l-1", expired).when(lambda it: it.renew(PROLONGED)).state.status is Status.LIVE


def test_an_expired_license_and_one_without_end_are_not_renewable() -> None:
    expired = [*BOUGHT, LicenseExpired(expired_at=NOW + MONTH)]
    given(License, "l-1", expired).when(License.renewable).then_raises(Rejected, "LICENSE_EXPIRED")
    endless = [purchased(ROYALTY_FREE)]
    given(License, "l-1", endless).when(License.renewable).then_raises(Rejected, "LICENSE_WITHOUT_END")


@pytest.mark.parametrize(
    ("uses", "forgiven", "left"), [(7, 3, (10, 1)), (6, 4, (10, 0)), (2, 4, (6, 0)), (0, 4, (4, 0))]
)
def test_a_correction_to_fewer_uses_reduces_the_excess_first(uses: int, forgiven: int, left: tuple[int, int]) -> None:
    event = corrected(usage("u-0", 10), uses, forgiven=forgiven)
    license = given(License, "l-1", OVER).when(lambda it: it.correct("u-0", uses)).then([event])
    assert (license.counted, license.excess) == left


def test_a_correction_to_more_uses_is_an_excess_of_the_added_ones() -> None:
    events = [corrected(usage("u-0", 10), 13), exceeded(usage("u-0", 13), 3)]
    license = given(License, "l-1", FULL).when(lambda it: it.correct("u-0", 13)).then(events)
    assert (license.counted, license.excess) == (10, 3)


def test_a_correction_of_a_report_outside_of_the_license_counts_nothing() -> None:
    stray = usage("u-1", 3, territory="US")
    past = [*BOUGHT, UsageOutsideLicense(asset_id="sunset", usage=stray, breaches=(Breach.TERRITORY,), late=False)]
    event = corrected(stray, 0, outside=True)
    license = given(License, "l-1", past).when(lambda it: it.correct("u-1", 0)).then([event])
    assert (license.counted, license.outside) == (0, 0)


def test_a_correction_that_changes_nothing_or_is_negative_or_of_an_unknown_report() -> None:
    given(License, "l-1", FULL).when(lambda it: it.correct("u-0", 10)).then_nothing()
    given(License, "l-1", FULL).when(lambda it: it.correct("u-0", -1)).then_raises(Invalid)
    given(License, "l-1", FULL).when(lambda it: it.correct("u-1", 1)).then_raises(Rejected, "REPORT_NOT_KEPT")
    given(License, "l-1").when(lambda it: it.correct("u-1", 1)).then_raises(Rejected, "LICENSE_NOT_PURCHASED")


def test_a_corrected_report_that_is_sent_again_as_it_was_first_changes_nothing() -> None:
    past = [*FULL, corrected(usage("u-0", 10), 6)]
    given(License, "l-1", past).when(report(usage("u-0", 10))).then_nothing()


def test_the_latest_reports_are_kept_and_no_more() -> None:
    many = [reported(usage(f"u-{n}")) for n in range(KEPT + 1)]
    license = given(License, "l-1", [purchased(ROYALTY_FREE), *many]).state
    assert len(license.reports) == KEPT
    assert license.report_of("u-0") is None
    assert license.report_of("u-1") is not None
    assert license.counted == KEPT + 1


def test_a_license_is_told_of_each_withdrawal_once_and_not_after_its_end() -> None:
    told = LicensedAssetWithdrawn(withdrawal=1, reason="no release")
    past = [purchased()]
    given(License, "l-1", past).when(lambda it: it.note_withdrawal(1, "no release")).then([told])
    given(License, "l-1", [*past, told]).when(lambda it: it.note_withdrawal(1, "no release")).then_nothing()
    again = LicensedAssetWithdrawn(withdrawal=2, reason="no release")
    given(License, "l-1", [*past, told]).when(lambda it: it.note_withdrawal(2, "no release")).then([again])
    ended = [*past, LicenseExpired(expired_at=NOW + MONTH)]
    given(License, "l-1", ended).when(lambda it: it.note_withdrawal(1, "no release")).then_nothing()
