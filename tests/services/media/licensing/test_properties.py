"""Whatever is reported, corrected and renewed: the counts add up, and rows and states are made of the same events."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import DomainError
from treaty.testing.scenarios import assert_folds, carried_out

from services.media.licensing.domain.events import LicenseEvent, RightProlonged, UsageExceededLicense
from services.media.licensing.domain.license import License
from services.media.licensing.domain.sale import Sale
from services.media.licensing.domain.terms import Period, Terms
from services.media.licensing.projections import LicenseRow, UsageDay, license_row, usage_by_day, usage_day
from services.media.licensing.publishing import publish_license
from services.media.licensing.storage import LICENSES, SALES
from tests.services.media.licensing.terms import (
    EXCLUSIVE,
    MONTH,
    NOW,
    ROYALTY_FREE,
    purchased,
    right,
    scope,
    terms,
    usage,
)

Command = Callable[[License], object]


def _report(number: int, uses: int, day: int, territory: str) -> Command:
    one = usage(f"u-{number}", uses, used_at=NOW + timedelta(days=day), territory=territory)
    return lambda it: it.report([one], NOW + timedelta(days=60))


def _correct(number: int, uses: int) -> Command:
    return lambda it: it.correct(f"u-{number}", uses)


def _renew(number: int) -> Command:
    period = Period(starts_at=NOW + MONTH, ends_at=NOW + 2 * MONTH)
    prolonged = RightProlonged(
        license_id="l-1", renewal_id=f"r-{number}", terms=terms(), scope=scope(), period=period, granted_at=NOW
    )
    return lambda it: it.renew(prolonged)


def _withdraw(withdrawal: int) -> Command:
    return lambda it: it.note_withdrawal(withdrawal, "no release")


_numbers, _uses = st.integers(1, 6), st.integers(0, 9)
_commands: st.SearchStrategy[list[Command]] = st.lists(
    st.one_of(
        st.builds(_report, _numbers, _uses, st.integers(-1, 40), st.sampled_from(["DE", "FR", "US"])),
        st.builds(_correct, _numbers, _uses),
        st.builds(_renew, _numbers),
        st.just(lambda it: it.expire(NOW + MONTH)),
        st.builds(_withdraw, st.integers(1, 2)),
        st.just(lambda it: it.purchase("sunset", right())),
    ),
    max_size=20,
)


def _lived(commands: Sequence[Command]) -> tuple[License, list[LicenseEvent]]:
    return carried_out(License(id="l-1"), [lambda it: it.purchase("sunset", right()), *commands])


@given(_commands)
def test_the_events_of_a_license_give_its_state(commands: list[Command]) -> None:
    state, events = _lived(commands)
    assert_folds(LICENSES, state, events)


@given(_commands)
def test_each_use_is_counted_once_as_within_beyond_or_outside(commands: list[Command]) -> None:
    state, _ = _lived(commands)
    within = sum(report.usage.uses for report in state.reports if not report.breaches)
    outside = sum(report.usage.uses for report in state.reports if report.breaches)
    assert state.allowed is not None
    assert 0 <= state.counted <= state.allowed
    assert state.excess >= 0
    assert (state.counted + state.excess, state.outside) == (within, outside)


@given(_commands)
def test_an_excess_is_announced_once_and_taken_back_as_far_as_it_is_corrected(commands: list[Command]) -> None:
    state, events = _lived(commands)
    violations = {"UsageViolationDetected": 0, "UsageViolationCorrected": 0}
    lived = License(id="l-1")
    for event in events:
        lived.evolve(event)
        for message in publish_license(lived, event):
            name = message.DESCRIPTOR.name
            if name in violations:
                violations[name] += message.uses  # type: ignore[union-attr]
    assert violations["UsageViolationDetected"] - violations["UsageViolationCorrected"] == state.excess + state.outside


@given(_commands)
def test_the_rows_show_the_same_numbers_as_the_state(commands: list[Command]) -> None:
    state, events = _lived(commands)
    row: LicenseRow | None = None
    days: dict[str, UsageDay | None] = {}
    for event in events:
        row = license_row("l-1", row, event)
        day = usage_day("l-1", event)
        if day is not None:
            days[day] = usage_by_day(day, days.get(day), event)
    assert row is not None
    assert (row.counted, row.excess, row.outside) == (state.counted, state.excess, state.outside)
    assert (row.allowed, row.left, row.status) == (state.allowed, state.left, state.status)
    shown = [day for day in days.values() if day is not None]
    assert sum(day.uses for day in shown) == state.counted + state.excess
    assert sum(day.excess - day.forgiven for day in shown) == state.excess
    assert sum(day.outside for day in shown) == state.outside


@given(st.permutations([1, 4, 2, 6, 3, 5]))
def test_the_excess_does_not_depend_on_the_order_of_the_reports(uses: list[int]) -> None:
    state, events = _lived([_report(n, number, 1, "DE") for n, number in enumerate(uses)])
    assert (state.counted, state.excess) == (10, 11)
    assert sum(event.excess for event in events if isinstance(event, UsageExceededLicense)) == 11


_sold = st.sampled_from(
    [terms(), EXCLUSIVE, ROYALTY_FREE, terms(exclusive=True, scope=scope("IT")), terms(scope=scope("IT"))]
)


@given(st.lists(st.tuples(_sold, st.integers(0, 90), st.integers(0, 90)), max_size=15))
def test_nothing_overlaps_an_exclusive_right(wanted: list[tuple[Terms, int, int]]) -> None:
    sale = Sale(id="sunset")
    sale.make_ready(editorial_only=False)
    sale.offer({"web": terms()}, None)
    granted: list[tuple[Terms, Period]] = []
    for n, (sold, start, today) in enumerate(sorted(wanted, key=lambda one: one[2])):
        now = NOW + timedelta(days=today)
        starts_at = now + timedelta(days=start)
        try:
            sale.grant(
                license_id=f"l-{n}",
                buyer_id="ann",
                type_id="web",
                terms=sold,
                scope=sold.scope,
                starts_at=starts_at,
                now=now,
            )
        except DomainError:
            continue
        granted.append((sold, sold.period_from(starts_at)))
    assert_folds(SALES, sale, sale.take_recorded())
    for n, (one, period) in enumerate(granted):
        for other, other_period in granted[n + 1 :]:
            if one.exclusive or other.exclusive:
                assert not (one.scope.overlaps(other.scope) and period.overlaps(other_period))


def test_a_purchase_is_announced_in_both_versions() -> None:
    license = License(id="l-1")
    license.evolve(purchased())
    names = [message.DESCRIPTOR.full_name for message in publish_license(license, purchased())]
    assert names == ["media.licensing.v1.LicensePurchaseConfirmed", "media.licensing.v2.LicensePurchaseConfirmed"]
