"""Screening: each rule has its case, a verdict has its reasons, and the model is plain numbers."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as always
from hypothesis import strategies as st
from treaty.domain import Call, NotFound, Rejected
from treaty.testing.scenarios import assert_folds, carried_out, given

from services.finance.fraud.application import NoteDecision, OpenCase, judge_payees, open_cases
from services.finance.fraud.clients import DEFAULT, NAMES, NotWeights, read_weights
from services.finance.fraud.domain.case import Case, Status
from services.finance.fraud.domain.events import (
    CaseClosed,
    CaseDecided,
    CaseOpened,
    PayeeJudged,
    TransferEnded,
    TransferPaid,
    TransferScreened,
)
from services.finance.fraud.domain.profile import KEPT, PAYEES, Profile
from services.finance.fraud.domain.rules import (
    Decision,
    Features,
    Scored,
    Transfer,
    Verdict,
    by_rules,
    judged,
)
from services.finance.fraud.storage import CASES, PROFILES
from services.finance.money import Money

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 6, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Sure:
    """A model that gives every transfer the same probability."""

    def __init__(self, probability: float = 0.0) -> None:
        self._probability = probability

    def score(self, features: Features) -> Scored:
        return Scored(probability=self._probability, causes=("size",))


def transfer(number: int, units: int = 100, payee: str = "shop", at: datetime = NOON) -> Transfer:
    return Transfer(transfer_id=f"t-{number}", payee=payee, amount=Money(units * 100, "EUR"), at=at)


def paid(profile: Profile, one: Transfer) -> None:
    profile.note_payment(one.transfer_id, one.payee, one.amount)


def after(*transfers: Transfer) -> Profile:
    """Returns the profile of a payer who has paid some transfers."""
    profile = Profile(id="a")
    for one in transfers:
        profile.screen(one, Sure(), BERLIN)
        paid(profile, one)
    profile.take_recorded()
    return profile


def rules(profile: Profile, one: Transfer) -> list[str]:
    """Returns the rules that speak against a transfer."""
    profile.screen(one, Sure(), BERLIN)
    assert profile.verdict is not None
    return [reason.rule for reason in profile.verdict.reasons]


def test_an_ordinary_transfer_passes_without_a_reason() -> None:
    assert rules(after(*(transfer(n, at=NOON - n * timedelta(days=1)) for n in range(1, 5))), transfer(9)) == []


def test_many_transfers_in_an_hour_are_a_reason() -> None:
    nine = [transfer(n, at=NOON - n * MINUTE) for n in range(1, 10)]
    assert rules(after(*nine), transfer(10)) == ["velocity"]
    spread = [transfer(n, at=NOON - n * 7 * MINUTE) for n in range(1, 10)]
    assert rules(after(*spread), transfer(10)) == []


def test_a_batch_is_no_velocity_and_hides_none() -> None:
    batch = [replace(transfer(n, at=NOON - n * MINUTE), batch=True) for n in range(1, 30)]
    assert rules(after(*batch), replace(transfer(30), batch=True)) == []
    assert rules(after(*batch), transfer(30)) == []
    nine = [transfer(n, at=NOON - n * MINUTE) for n in range(30, 39)]
    assert rules(after(*batch, *nine), transfer(40)) == ["velocity"]


def test_a_large_amount_to_a_new_payee_is_reviewed() -> None:
    assert rules(after(transfer(1, 10_000)), transfer(2, 10_000)) == ["amount"]
    profile = after(transfer(1, 10_000))
    assert rules(profile, transfer(2, 10_000, payee="stranger")) == ["amount", "new-payee"]
    assert profile.verdict is not None
    assert (profile.verdict.decision, profile.verdict.points) == (Decision.REVIEW, 50)


def test_an_amount_far_above_the_usual_is_a_reason() -> None:
    usual = [transfer(n, 100, at=NOON - n * timedelta(days=1)) for n in range(1, 4)]
    assert rules(after(*usual), transfer(9, 999)) == []
    assert rules(after(*usual), transfer(9, 1000)) == ["unusual-amount"]
    assert rules(after(*usual), transfer(9, 1000, payee="stranger")) == ["unusual-amount", "new-payee"]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (datetime(2026, 5, 6, 0, 30, tzinfo=UTC), ["odd-hour"]),  # 02:30 in Berlin
        (datetime(2026, 1, 6, 0, 30, tzinfo=UTC), ["odd-hour"]),  # 01:30 in Berlin
        (datetime(2026, 1, 6, 4, 30, tzinfo=UTC), []),  # 05:30 in Berlin
        (datetime(2026, 5, 6, 22, 30, tzinfo=UTC), []),  # 00:30 in Berlin
    ],
)
def test_an_hour_is_odd_in_the_time_zone_of_the_bank(at: datetime, found: list[str]) -> None:
    assert rules(after(), transfer(1, at=at)) == found


def test_several_amounts_just_below_the_threshold_look_like_one_that_was_split() -> None:
    two = [transfer(n, 9_500, at=NOON - n * timedelta(hours=5)) for n in (1, 2)]
    assert "structuring" in rules(after(*two), transfer(3, 9_999))
    assert "structuring" not in rules(after(*two), transfer(3, 7_999))
    assert "structuring" not in rules(after(*two), transfer(3, 10_000))
    old = [transfer(n, 9_500, at=NOON - n * timedelta(hours=25)) for n in (1, 2)]
    assert "structuring" not in rules(after(*old), transfer(3, 9_999))


def test_the_decimals_of_the_currency_count() -> None:
    yen = Transfer(transfer_id="t", payee="shop", amount=Money(9_999, "JPY"), at=NOON)
    dinars = Transfer(transfer_id="u", payee="shop", amount=Money(10_000_000, "BHD"), at=NOON)
    assert "amount" not in rules(after(), yen)
    assert "amount" in rules(after(), dinars)


@pytest.mark.parametrize(
    ("probability", "decision"),
    [(0.49, Decision.ACCEPT), (0.5, Decision.ACCEPT), (0.89, Decision.ACCEPT), (0.9, Decision.REVIEW)],
)
def test_the_model_alone_makes_a_review_but_never_a_block(probability: float, decision: Decision) -> None:
    profile = Profile(id="a")
    profile.screen(transfer(1), Sure(probability), BERLIN)
    assert profile.verdict is not None
    assert profile.verdict.decision is decision
    assert [reason.rule for reason in profile.verdict.reasons] == (["model"] if probability >= 0.5 else [])


def test_a_transfer_is_screened_once_and_only_the_last_one_can_be_repeated() -> None:
    profile = after(transfer(1), transfer(2))
    profile.screen(transfer(2), Sure(), BERLIN)
    assert profile.take_recorded() == ()
    with pytest.raises(Rejected, match="screened already"):
        profile.screen(transfer(1), Sure(), BERLIN)


def test_a_profile_stays_small() -> None:
    profile = after(*(transfer(n, payee=f"p-{n}") for n in range(PAYEES + 20)))
    assert (len(profile.recent), len(profile.paid), len(profile.payees)) == (KEPT, KEPT, PAYEES)
    for n in range(PAYEES + 20):
        profile.note_decision(f"p-{n}", fraud=True)
    assert (profile.paid, profile.payees, len(profile.frauds)) == ((), (), PAYEES)


USUAL = [transfer(n, 100, at=NOON - n * timedelta(days=1)) for n in range(1, 11)]


def test_a_blocked_transfer_is_blocked_however_often_it_is_sent() -> None:
    profile = after(*USUAL)
    for number in range(100, 100 + 3 * KEPT):
        profile.screen(transfer(number, 7000, "stranger", NOON + number * 2 * MINUTE), read_weights(), BERLIN)
        assert profile.verdict is not None
        assert profile.verdict.decision is Decision.BLOCK
        assert {"unusual-amount", "new-payee", "model"} <= {reason.rule for reason in profile.verdict.reasons}


def test_a_transfer_that_is_accepted_but_not_paid_makes_nothing_familiar() -> None:
    profile = after(*USUAL)
    for number in range(100, 105):
        assert rules(profile, transfer(number, 990, "stranger", NOON + number * timedelta(days=1))) == []
    later = NOON + timedelta(days=200)
    assert rules(profile, transfer(200, 1000, "stranger", later)) == ["unusual-amount", "new-payee"]
    paid(profile, transfer(200, 1000, "stranger"))
    assert rules(profile, transfer(201, 1000, "stranger", later)) == []


def test_tries_that_were_refused_count_for_the_velocity_and_the_structuring() -> None:
    profile = after()
    for number in range(1, 10):
        profile.screen(transfer(number, 9_500, at=NOON - number * MINUTE), Sure(0.95), BERLIN)
    assert profile.paid == ()
    assert rules(profile, transfer(10, 9_500)) == ["velocity", "structuring"]


def test_a_payment_is_noted_once_and_in_any_order_with_its_screening() -> None:
    one = transfer(1, 100, "friend")
    noting = lambda it: paid(it, one)  # noqa: E731
    screening = lambda it: it.screen(one, Sure(), BERLIN)  # noqa: E731
    noted = TransferPaid(transfer_id="t-1", payee="friend", amount=Money(10_000, "EUR"))
    given(Profile, "a").when(noting).then([noted])
    given(Profile, "a", [noted]).when(noting).then_nothing()
    first, _ = carried_out(Profile(id="a"), [screening, noting, noting])
    second, _ = carried_out(Profile(id="a"), [noting, screening, noting])
    assert (first.paid, first.payees) == (second.paid, second.payees)
    assert first.payees == ("friend",)


def test_the_payee_of_a_fraud_is_a_stranger_in_any_order_until_one_is_cleared() -> None:
    one = transfer(1, 7000, "thief")
    for commands in (
        [lambda it: paid(it, one), lambda it: it.note_decision("thief", fraud=True)],
        [lambda it: it.note_decision("thief", fraud=True), lambda it: paid(it, one)],
    ):
        state, _ = carried_out(after(*USUAL), commands)
        assert rules(state, transfer(20, 1000, "thief")) == ["unusual-amount", "new-payee"]
    found = PayeeJudged(payee="thief", fraud=True)
    given(Profile, "a", [found]).when(lambda it: it.note_decision("thief", fraud=True)).then_nothing()
    given(Profile, "a").when(lambda it: it.note_decision("thief", fraud=False)).then_nothing()
    cleared = given(Profile, "a", [found]).when(lambda it: it.note_decision("thief", fraud=False)).state
    paid(cleared, one)
    assert cleared.payees == ("thief",)


def test_an_accepted_transfer_of_before_outcomes_were_noted_is_familiar() -> None:
    stored = PROFILES.events.encode(TransferScreened(transfer=transfer(1), features=FEATURES, verdict=ACCEPTED))
    del stored["data"]["outcome_follows"]
    profile = PROFILES.fold("a", [stored])
    assert [one.transfer_id for one in profile.paid] == ["t-1"]
    assert profile.payees == ("shop",)
    blocked = replace(ACCEPTED, decision=Decision.BLOCK)
    stored = PROFILES.events.encode(TransferScreened(transfer=transfer(1), features=FEATURES, verdict=blocked))
    del stored["data"]["outcome_follows"]
    assert PROFILES.fold("a", [stored]).payees == ()


def test_a_case_is_opened_for_a_transfer_that_does_not_pass() -> None:
    profile = Profile(id="a")
    profile.screen(transfer(1), Sure(0.95), BERLIN)
    [event] = profile.take_recorded()
    assert isinstance(event, TransferScreened)
    assert list(open_cases(profile, event)) == [
        Call(OpenCase(payer="a", transfer=transfer(1), features=event.features, verdict=event.verdict))
    ]
    profile.screen(transfer(2), Sure(), BERLIN)
    [passed] = profile.take_recorded()
    assert list(open_cases(profile, passed)) == []


FEATURES = Features(size=2, unusual=0, velocity=1, new_payee=0, odd_hour=0, near_threshold=0)
VERDICT = Verdict(transfer_id="t-1", decision=Decision.REVIEW, points=50, reasons=())
ACCEPTED = Verdict(transfer_id="t-1", decision=Decision.ACCEPT, points=0, reasons=())
OPENED = CaseOpened(payer="a", transfer=transfer(1), features=FEATURES, verdict=VERDICT, opened_at=NOON)


def test_a_case_is_opened_and_decided_once() -> None:
    opening = lambda it: it.open(payer="a", transfer=transfer(1), features=FEATURES, verdict=VERDICT, now=NOON)  # noqa: E731
    deciding = lambda it: it.decide(fraud=True, by="ann", note="called them", now=NOON)  # noqa: E731
    decided = CaseDecided(fraud=True, by="ann", note="called them", decided_at=NOON)
    given(Case, "t-1").when(opening).then([OPENED])
    given(Case, "t-1", [OPENED]).when(opening).then_nothing()
    assert given(Case, "t-1", [OPENED]).when(deciding).then([decided]).status is Status.FRAUD
    given(Case, "t-1", [OPENED, decided]).when(deciding).then_raises(Rejected, "DECIDED_ALREADY")
    assert_folds(CASES, given(Case, "t-1", [OPENED, decided]).state, [OPENED, decided])


def test_a_decision_is_noted_at_the_profile_of_the_payer() -> None:
    case = given(Case, "t-1", [OPENED]).state
    decided = CaseDecided(fraud=True, by="ann", note="", decided_at=NOON)
    assert list(judge_payees(case, decided)) == [Call(NoteDecision(payer="a", payee="shop", fraud=True))]
    assert list(judge_payees(case, OPENED)) == []


ENDED, CLOSED = TransferEnded(code="CANCELLED"), CaseClosed(code="CANCELLED", closed_at=NOON)
DECIDED = CaseDecided(fraud=False, by="ann", note="", decided_at=NOON)


def test_the_case_of_a_transfer_that_ended_is_closed_in_both_orders_and_once() -> None:
    opening = lambda it: it.open(payer="a", transfer=transfer(1), features=FEATURES, verdict=VERDICT, now=NOON)  # noqa: E731
    ending = lambda it: it.end("CANCELLED", NOON)  # noqa: E731
    given(Case, "t-1", [OPENED]).when(ending).then([CLOSED])
    given(Case, "t-1").when(ending).then([ENDED])
    given(Case, "t-1", [ENDED]).when(opening).then([OPENED, CLOSED])
    for past in ([ENDED], [OPENED, CLOSED], [ENDED, OPENED, CLOSED], [OPENED, DECIDED], [OPENED, CLOSED, DECIDED]):
        given(Case, "t-1", past).when(ending).then_nothing()
    assert_folds(CASES, given(Case, "t-1", [ENDED, OPENED, CLOSED, DECIDED]).state, [ENDED, OPENED, CLOSED, DECIDED])


def test_a_closed_case_may_be_decided_and_one_that_was_never_opened_is_not_found() -> None:
    deciding = lambda it: it.decide(fraud=False, by="ann", note="", now=NOON)  # noqa: E731
    assert given(Case, "t-1", [OPENED, CLOSED]).when(deciding).then([DECIDED]).status is Status.CLEARED
    given(Case, "t-1", [OPENED, CLOSED, DECIDED]).when(deciding).then_raises(Rejected, "DECIDED_ALREADY")
    given(Case, "t-1", [ENDED]).when(deciding).then_raises(NotFound)


_transfers = st.builds(
    transfer,
    st.integers(0, 60),
    st.integers(1, 20_000),
    st.sampled_from(["shop", "rent", "stranger"]),
    st.integers(0, 5000).map(lambda minutes: NOON + minutes * MINUTE),
)


def _screened(one: Transfer) -> Callable[[Profile], None]:
    return lambda profile: profile.screen(one, Sure(0.6), BERLIN)


def _paid(one: Transfer) -> Callable[[Profile], None]:
    return lambda profile: paid(profile, one)


def _decided(payee: str, fraud: bool) -> Callable[[Profile], None]:
    return lambda profile: profile.note_decision(payee, fraud=fraud)


_commands = st.one_of(
    _transfers.map(_screened),
    _transfers.map(_paid),
    st.builds(_decided, st.sampled_from(["shop", "rent", "stranger"]), st.booleans()),
)


@always(st.lists(_commands, max_size=20))
def test_the_events_of_a_profile_give_its_state_and_no_payee_of_a_fraud_is_familiar(
    commands: list[Callable[[Profile], None]],
) -> None:
    state, events = carried_out(Profile(id="a"), commands)
    assert_folds(PROFILES, state, events)
    assert not {*state.frauds} & {*state.payees, *(one.payee for one in state.paid)}
    assert {one.payee for one in state.paid} <= {*state.payees}


@always(
    st.builds(
        Features,
        size=st.floats(0, 15),
        unusual=st.floats(0, 10),
        velocity=st.integers(1, 51),
        new_payee=st.integers(0, 1),
        odd_hour=st.integers(0, 1),
        near_threshold=st.integers(0, 51),
    ),
    st.floats(0, 1),
)
def test_the_points_of_a_verdict_are_those_of_its_reasons(features: Features, probability: float) -> None:
    verdict = judged("t", features, Scored(probability=probability, causes=("size",)))
    assert verdict.points == sum(reason.points for reason in verdict.reasons)
    assert len(verdict.reasons) - len(by_rules(features)) == (probability >= 0.5)
    assert (verdict.decision is Decision.ACCEPT) == (verdict.points < 50)


SAFE = Features(size=2, unusual=0, velocity=1, new_payee=0, odd_hour=0, near_threshold=0)
THEFT = Features(size=3.9, unusual=1.6, velocity=5, new_payee=1, odd_hour=1, near_threshold=0)


def test_the_committed_weights_tell_theft_from_an_ordinary_payment_and_say_why() -> None:
    model = read_weights()
    assert model.score(SAFE).probability < 0.01
    theft = model.score(THEFT)
    assert theft.probability > 0.9
    assert theft.causes == ("unusual", "odd_hour")


@pytest.mark.parametrize("broken", ["missing", "not json", "nan", "one less", "a text"])
def test_a_file_without_weights_is_refused_and_named(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "weights.json"
    document = json.loads(DEFAULT.read_text())
    if broken == "nan":
        document["weights"]["size"] = float("nan")
    if broken == "one less":
        del document["means"]["size"]
    if broken == "a text":
        document["intercept"] = "much"
    if broken != "missing":
        path.write_text("weights" if broken == "not json" else json.dumps(document))
    with pytest.raises(NotWeights, match=r"weights\.json has no weights for size"):
        read_weights(path)
    assert set(NAMES) == set(json.loads(DEFAULT.read_text())["weights"])


def test_no_size_of_a_number_breaks_the_score() -> None:
    model = read_weights()
    extreme = Features(size=1e9, unusual=1e9, velocity=10**9, new_payee=1, odd_hour=1, near_threshold=10**9)
    assert model.score(extreme).probability == 1.0
    assert 0 <= model.score(Features(**dict.fromkeys(NAMES, -1000000000.0))).probability < 1e-9  # type: ignore[arg-type]
