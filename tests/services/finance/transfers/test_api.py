"""Transfers over gRPC, with Accounts and Fraud in the same process: every way that a transfer can go."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.fraud.v1.fraud_events_pb2 import CaseDecided
from finance.transfers.v1 import transfers_events_pb2 as events
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.messaging.broker import exchange_of
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import ManualClock, embedded

from tests.services.clients import told
from tests.services.finance.bank import CONTEXTS, Bank, terms

COMPLETED, FAILED, CANCELLED = (
    pb.TRANSFER_STATUS_COMPLETED,
    pb.TRANSFER_STATUS_FAILED,
    pb.TRANSFER_STATUS_CANCELLED,
)
NOON = datetime(2026, 5, 6, 10, tzinfo=UTC)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with embedded(*CONTEXTS, clock=ManualClock(NOON)) as world:
        yield Bank(world)


async def test_a_transfer_moves_money_once_and_is_announced(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    assert (done.status, done.verdict, done.code) == (COMPLETED, pb.VERDICT_ACCEPT, "")
    assert await bank.balances("ann", "bob") == [(700, 700), (300, 300)]
    await bank.settled()
    assert (bank.published("PaymentInitiated"), bank.published("PaymentCompleted")) == (
        [done.transfer_id],
        [done.transfer_id],
    )


async def test_a_repeated_initiation_is_one_transfer(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    id, again = bank.ids.new(), bank.ids.new()
    first = await bank.ask("InitiateTransfer", request_id=again, transfer_id=id, terms=terms(300))
    assert await bank.ask("InitiateTransfer", request_id=again, transfer_id=id, terms=terms(300)) == first
    await bank.reach(id, COMPLETED)
    other = await bank.ask("InitiateTransfer", transfer_id=id, terms=terms(300))
    assert other.transfer.status == COMPLETED
    refused = await refusal(bank.ask("InitiateTransfer", transfer_id=id, terms=terms(301)))
    assert list(refused.fields) == ["amount"]
    assert await bank.balances("ann", "bob") == [(700, 700), (300, 300)]


async def test_a_transfer_without_funds_fails_and_both_events_say_so(bank: Bank) -> None:
    await bank.open(ann=100, bob=0)
    failed = await bank.move(300)
    assert (failed.status, failed.code) == (FAILED, "INSUFFICIENT_FUNDS")
    assert await bank.balances("ann", "bob") == [(100, 100), (0, 0)]
    await bank.settled()
    assert bank.published("InsufficientFunds") == bank.published("PaymentFailed") == [failed.transfer_id]


async def test_a_payee_that_is_not_there_gives_the_money_back(bank: Bank) -> None:
    await bank.open(ann=1000)
    failed = await bank.move(300, payee="nobody")
    assert (failed.status, failed.code, failed.parked) == (FAILED, "NOT_FOUND", False)
    assert await bank.balances("ann") == [(1000, 1000)]


async def test_a_payee_that_is_frozen_gives_the_money_back_also_to_a_payer_that_is_frozen_since(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    await bank.teller.ask("FreezeAccount", account_id="bob", reason="why", by="clerk")
    failed = await bank.move(300)
    assert (failed.status, failed.code) == (FAILED, "ACCOUNT_FROZEN")
    assert await bank.balances("ann", "bob") == [(1000, 1000), (0, 0)]


async def _waits_for_approval(bank: Bank) -> str:
    await bank.open(ann=5_000_000, bob=0)
    transfer_id = await bank.initiate(1_000_000)
    await bank.decide(transfer_id, is_fraud=False)
    await bank.reach(transfer_id, pb.TRANSFER_STATUS_AWAITING_APPROVAL)
    return transfer_id


async def test_a_large_transfer_waits_for_a_second_person(bank: Bank) -> None:
    transfer_id = await _waits_for_approval(bank)
    alone = await refusal(bank.ask("ApproveTransfer", transfer_id=transfer_id, by="clerk"))
    assert alone.reason == "SAME_PERSON"
    assert await bank.balances("ann") == [(5_000_000, 4_000_000)]
    await bank.ask("ApproveTransfer", transfer_id=transfer_id, by="chief")
    done = await bank.reach(transfer_id, COMPLETED)
    assert done.approved_by == "chief"
    assert await bank.balances("ann", "bob") == [(4_000_000, 4_000_000), (1_000_000, 1_000_000)]


async def test_a_cancelled_transfer_frees_the_money(bank: Bank) -> None:
    transfer_id = await _waits_for_approval(bank)
    await bank.ask("CancelTransfer", transfer_id=transfer_id, by="clerk", reason="a mistake")
    done = await bank.reach(transfer_id, CANCELLED)
    assert (done.code, done.reason) == ("CANCELLED", "a mistake")
    assert await bank.balances("ann") == [(5_000_000, 5_000_000)]
    late = await refusal(bank.ask("ApproveTransfer", transfer_id=transfer_id, by="chief"))
    assert late.reason == "NOT_AWAITING_APPROVAL"


async def test_a_completed_transfer_is_not_cancelled(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    late = await refusal(bank.ask("CancelTransfer", transfer_id=done.transfer_id, by="clerk", reason="too late"))
    assert late.reason == "TOO_LATE_TO_CANCEL"


@pytest.mark.parametrize("is_fraud", [True, False])
async def test_a_suspicious_transfer_waits_for_the_decision_of_a_person(bank: Bank, is_fraud: bool) -> None:
    await bank.open(ann=5_000_000, bob=0)
    transfer_id = await bank.initiate(1_200_000, payee="bob")
    waiting = await bank.reach(transfer_id, pb.TRANSFER_STATUS_IN_REVIEW)
    assert waiting.reasons[0].startswith("amount:")
    await bank.decide(transfer_id, is_fraud=is_fraud)
    if is_fraud:
        failed = await bank.reach(transfer_id, FAILED)
        assert failed.code == "FRAUD"
        assert await bank.balances("ann", "bob") == [(5_000_000, 5_000_000), (0, 0)]
    else:
        await bank.reach(transfer_id, pb.TRANSFER_STATUS_AWAITING_APPROVAL)


async def _units_sent_for_review(bank: Bank, units: int) -> Any:
    transfer_id = await bank.initiate(units)
    return await bank.reach(transfer_id, pb.TRANSFER_STATUS_IN_REVIEW, pb.TRANSFER_STATUS_AWAITING_APPROVAL)


async def test_a_payee_is_known_when_a_person_has_cleared_a_transfer_and_it_was_paid(bank: Bank) -> None:
    await bank.open(ann=5_000_000, bob=0)
    for _ in range(2):
        cancelled = await _units_sent_for_review(bank, 1_100_000)
        assert [reason.partition(":")[0] for reason in cancelled.reasons] == ["amount", "new-payee"]
        await bank.ask("CancelTransfer", transfer_id=cancelled.transfer_id, by="clerk", reason="a mistake")
        await bank.reach(cancelled.transfer_id, CANCELLED)
    cleared = await _units_sent_for_review(bank, 1_100_000)
    await bank.decide(cleared.transfer_id, is_fraud=False)
    await bank.reach(cleared.transfer_id, pb.TRANSFER_STATUS_AWAITING_APPROVAL)
    await bank.ask("ApproveTransfer", transfer_id=cleared.transfer_id, by="chief")
    await bank.reach(cleared.transfer_id, COMPLETED)
    await bank.settled()
    known = await _units_sent_for_review(bank, 1_100_000)
    assert (known.status, [reason.partition(":")[0] for reason in known.reasons]) == (
        pb.TRANSFER_STATUS_AWAITING_APPROVAL,
        ["amount"],
    )


async def test_the_case_of_a_cancelled_transfer_leaves_the_queue(bank: Bank) -> None:
    await bank.open(ann=5_000_000, bob=0)
    waiting = await _units_sent_for_review(bank, 1_200_000)
    await eventually(lambda: _in_the_queue(bank, waiting.transfer_id))
    await bank.ask("CancelTransfer", transfer_id=waiting.transfer_id, by="clerk", reason="a mistake")
    await bank.reach(waiting.transfer_id, CANCELLED)
    await bank.settled()
    assert not await _in_the_queue(bank, waiting.transfer_id)


async def _in_the_queue(bank: Bank, transfer_id: str) -> bool:
    return transfer_id in [case.transfer_id for case in await bank.cases(status=fraud.CASE_STATUS_OPEN)]


async def test_a_refund_happens_once(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    ask = {"transfer_id": done.transfer_id, "by": "clerk", "reason": "sent back"}
    await bank.ask("RefundTransfer", **ask)
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    assert (await refusal(bank.ask("RefundTransfer", **ask))).reason == "REFUNDED_ALREADY"
    assert await bank.balances("ann", "bob") == [(1000, 1000), (0, 0)]
    await bank.settled()
    assert bank.published("PaymentRefunded") == [done.transfer_id]


async def test_a_refund_of_money_that_is_spent_is_refused_and_may_be_asked_for_again(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    await bank.teller.withdraw("bob", 1)
    ask = {"transfer_id": done.transfer_id, "by": "clerk", "reason": "sent back"}
    await bank.ask("RefundTransfer", **ask)
    refused = await bank.until(done.transfer_id, lambda one: one.refund == pb.REFUND_STATUS_REFUSED)
    assert "2.99 EUR available" in refused.refund_reason
    await bank.settled()
    assert await _listed(bank, refund=pb.REFUND_STATUS_REFUSED) == [(done.transfer_id, COMPLETED)]
    assert bank.published("RefundRefused") == [done.transfer_id]
    await bank.teller.deposit("bob", 1)
    await bank.ask("RefundTransfer", **ask)
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    assert await bank.balances("ann", "bob") == [(1000, 1000), (0, 0)]


async def test_a_refund_to_a_closed_payer_goes_to_the_suspense_account(bank: Bank) -> None:
    await bank.open(ann=300, bob=0)
    done = await bank.move(300)
    await bank.teller.ask("CloseAccount", account_id="ann")
    await bank.ask("RefundTransfer", transfer_id=done.transfer_id, by="clerk", reason="sent back")
    paid = await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    assert paid.refund_parked
    assert (await bank.balances("suspense-eur"))[0][0] == 300


async def test_money_for_a_missing_suspense_account_is_stuck_until_it_is_opened(bank: Bank) -> None:
    await bank.teller.open("ann", 300)
    await bank.teller.open("bob")
    done = await bank.move(300)
    await bank.teller.ask("CloseAccount", account_id="ann")
    await bank.ask("RefundTransfer", transfer_id=done.transfer_id, by="clerk", reason="sent back")
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_STUCK)
    await bank.settled()
    assert await _listed(bank, refund=pb.REFUND_STATUS_STUCK) == [(done.transfer_id, COMPLETED)]
    assert bank.published("RefundStuck") == [done.transfer_id]
    await bank.open()
    await bank.ask("ResumeTransfer", transfer_id=done.transfer_id)
    await bank.until(done.transfer_id, lambda transfer: transfer.refund == pb.REFUND_STATUS_PAID)
    assert (await bank.balances("suspense-eur"))[0][0] == 300
    await bank.settled()
    assert await _listed(bank, refund=pb.REFUND_STATUS_STUCK) == []
    assert await _listed(bank, refund=pb.REFUND_STATUS_PAID) == [(done.transfer_id, COMPLETED)]


async def _listed(bank: Bank, **where: Any) -> list[tuple[str, int]]:
    return [(one.transfer_id, one.status) for one in (await bank.ask("ListTransfers", **where)).transfers]


@pytest.mark.slow
async def test_the_daily_limit_counts_the_transfers_that_were_made() -> None:
    async with embedded(*CONTEXTS, clock=ManualClock(NOON), environ={"TRANSFERS_DAILY_LIMIT": "10"}) as world:
        bank = Bank(world)
        await bank.open(ann=100, bob=0)
        assert (await bank.move(500)).code == "INSUFFICIENT_FUNDS"
        await bank.settled()
        await bank.teller.deposit("ann", 9_900)
        assert (await bank.move(700)).status == COMPLETED
        over = await bank.move(301)
        assert (over.status, over.code) == (FAILED, "DAILY_LIMIT")
        assert (await bank.move(300)).status == COMPLETED
        assert await bank.balances("bob") == [(1000, 1000)]


@pytest.mark.parametrize(
    ("policy", "unscreened", "status"),
    [
        ("refuse", pb.UNSCREENED_REFUSE, FAILED),
        ("accept", pb.UNSCREENED_ACCEPT, COMPLETED),
        ("approve", pb.UNSCREENED_APPROVE, pb.TRANSFER_STATUS_AWAITING_APPROVAL),
    ],
)
async def test_without_a_verdict_in_time_the_policy_is_followed_and_shown(
    policy: str, unscreened: int, status: int
) -> None:
    environ = {"TRANSFERS_UNSCREENED": policy, "TRANSFERS_SCREENING_SECONDS": "0.05"}
    async with embedded("finance.accounts", "finance.transfers", environ=environ) as world:
        bank = Bank(world)
        await bank.open(ann=1000, bob=0)
        transfer_id = await bank.initiate(300)
        seen = await bank.reach(transfer_id, status)
        assert (seen.unscreened, seen.verdict) == (unscreened, pb.VERDICT_UNSPECIFIED)
        if status == FAILED:
            assert seen.code == "NOT_SCREENED"
            assert await bank.balances("ann") == [(1000, 1000)]


async def test_a_fraud_that_is_found_later_ends_a_transfer_that_nobody_screened_before_its_approval() -> None:
    environ = {"TRANSFERS_UNSCREENED": "approve", "TRANSFERS_SCREENING_SECONDS": "0.05"}
    async with embedded("finance.accounts", "finance.transfers", environ=environ) as world:
        bank = Bank(world)
        await bank.open(ann=1000, bob=0)
        transfer_id = await bank.initiate(300)
        await bank.reach(transfer_id, pb.TRANSFER_STATUS_AWAITING_APPROVAL)
        decided = CaseDecided(transfer_id=transfer_id, fraud=True, by="the-fraud-desk")
        for number in ("1", "2"):
            await world.broker.publish(exchange_of("finance.fraud"), told(transfer_id, decided, number))
        failed = await bank.reach(transfer_id, FAILED)
        assert failed.code == "FRAUD"
        assert await bank.balances("ann") == [(1000, 1000)]
        late = await refusal(bank.ask("ApproveTransfer", transfer_id=transfer_id, by="chief"))
        assert late.reason == "NOT_AWAITING_APPROVAL"


@pytest.mark.slow
@pytest.mark.parametrize("deadline", ["TRANSFERS_APPROVAL_SECONDS", "TRANSFERS_REVIEW_SECONDS"])
async def test_a_person_who_does_not_answer_ends_the_transfer(deadline: str) -> None:
    async with embedded(*CONTEXTS, environ={deadline: "0.05", "TRANSFERS_LARGE": "10000"}) as world:
        bank = Bank(world)
        await bank.open(ann=5_000_000, bob=0)
        transfer_id = await bank.initiate(1_200_000)
        if deadline == "TRANSFERS_APPROVAL_SECONDS":
            await bank.decide(transfer_id, is_fraud=False)
        failed = await bank.reach(transfer_id, FAILED)
        assert failed.code in ("NOT_APPROVED", "NOT_REVIEWED")
        assert await bank.balances("ann") == [(5_000_000, 5_000_000)]


SCHEDULE: dict[str, Any] = {
    "start": "2026-05-06",
    "at": "13:00",
    "zone": "Europe/Berlin",
    "every": pb.EVERY_MONTH,
    "adjust": pb.ADJUST_FOLLOWING,
    "missed": pb.MISSED_ALL,
}


@pytest.mark.slow
async def test_a_standing_order_makes_its_transfers_when_the_time_comes() -> None:
    clock = ManualClock(NOON)
    async with embedded(*CONTEXTS, clock=clock) as world:
        bank = Bank(world)
        await bank.open(ann=1000, bob=0)
        order_id = bank.ids.new()
        placed = await bank.ask("PlaceOrder", order_id=order_id, terms=terms(300), schedule=pb.Schedule(**SCHEDULE))
        assert placed.order.next_at.ToDatetime(UTC) == datetime(2026, 5, 6, 11, tzinfo=UTC)
        clock.advance(3600)
        await eventually(lambda: _has_made(bank, order_id, 1))
        transfers = await eventually(lambda: _completed(bank))
        found = await bank.get(transfers[0].transfer_id)
        assert (found.due_on, found.terms.reference) == ("2026-05-06", order_id)
        clock.advance(33 * 86_400)
        await eventually(lambda: _has_made(bank, order_id, 2))
        ended = await bank.ask("EndOrder", order_id=order_id, by="ann", reason="moved")
        assert (ended.order.ended, ended.order.made) == (True, 2)


async def _has_made(bank: Bank, order_id: str, count: int) -> bool:
    return bool((await bank.ask("GetOrder", order_id=order_id)).order.made == count)


async def _completed(bank: Bank) -> Any:
    listed = await bank.ask("ListTransfers", payer="ann", status=COMPLETED)
    return list(listed.transfers)


@pytest.mark.slow
async def test_transfers_are_listed_by_payer_customer_and_status(bank: Bank) -> None:
    await bank.open(ann=1000, bob=1000)
    await bank.move(10)
    await bank.move(20, payer="bob", payee="ann")
    await bank.settled()
    amounts = [
        [one.amount.minor_units for one in (await bank.ask("ListTransfers", **where)).transfers]
        for where in ({"payer": "ann"}, {"customer_id": "of-bob"}, {"status": FAILED})
    ]
    assert amounts == [[10], [20], []]


@pytest.mark.parametrize(
    ("method", "fields", "wrong"),
    [
        ("InitiateTransfer", {"terms": terms(1, "a", "a")}, "payee"),
        ("InitiateTransfer", {"terms": terms(0)}, "amount.minor_units"),
        ("InitiateTransfer", {"terms": terms(1, payee="B")}, "terms.payee"),
        ("InitiateTransfer", {"transfer_id": "42", "terms": terms(1)}, "transfer_id"),
        ("InitiateTransfer", {}, "terms"),
        ("PlaceOrder", {"terms": terms(1), "schedule": {**SCHEDULE, "start": "2026-02-30"}}, "schedule.start"),
        ("PlaceOrder", {"terms": terms(1), "schedule": {**SCHEDULE, "zone": "Mars/North"}}, "schedule.zone"),
        ("PlaceOrder", {"terms": terms(1), "schedule": {**SCHEDULE, "at": "25:00"}}, "schedule.at"),
        ("PlaceOrder", {"terms": terms(1), "schedule": {**SCHEDULE, "end": "2026-01-01"}}, "schedule"),
        ("PlaceOrder", {"terms": terms(1), "schedule": {**SCHEDULE, "every": 0}}, "schedule.every"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(
    bank: Bank, method: str, fields: dict[str, Any], wrong: str
) -> None:
    id = "order_id" if method == "PlaceOrder" else "transfer_id"
    if "schedule" in fields:
        fields = {**fields, "schedule": pb.Schedule(**fields["schedule"])}
    refused = await refusal(bank.ask(method, **{id: bank.ids.new(), **fields}))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [wrong])


async def test_events_say_who_pays_and_how_much(bank: Bank) -> None:
    await bank.open(ann=1000, bob=0)
    done = await bank.move(300)
    await bank.settled()
    body = next(one.body for one in bank.world.broker.published if one.type.endswith("PaymentCompleted"))
    told = events.PaymentCompleted.FromString(body)
    assert (told.transfer_id, told.payer, told.payee, told.amount.minor_units) == (done.transfer_id, "ann", "bob", 300)
