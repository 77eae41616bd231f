"""Fraud over gRPC: one verdict for each request, a review queue, and decisions that become training data."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from finance.fraud.v1 import fraud_events_pb2 as events
from finance.fraud.v1 import fraud_service_pb2 as pb
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_events_pb2 as transfers
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.messaging.broker import exchange_of
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import SeededIds, World, embedded

from services.finance.fraud.application import COLUMNS
from tests.services.clients import told

CONTEXT = "finance.fraud"
NOON = Timestamp(seconds=1_778_061_600)


class Desk:
    """A client of Fraud."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = SeededIds("requests")
        self._stub: Any = FraudServiceStub(world.channel)

    async def ask(self, method: str, **fields: Any) -> Any:
        kind = getattr(pb, f"{method}Request")
        if "request_id" in kind.DESCRIPTOR.fields_by_name:
            fields = {"request_id": self.ids.new(), **fields}
        return await getattr(self._stub, method)(kind(**fields), timeout=TIMEOUT)

    async def screen(self, units: int = 100, /, payee: str = "shop", **more: Any) -> Any:
        amount = Money(minor_units=units * 100, currency="EUR")
        asked = {"transfer_id": self.ids.new(), "payer": "a", "payee": payee, "initiated_at": NOON, **more}
        return await self.ask("ScreenTransfer", amount=amount, **asked)

    async def case(self, units: int = 20_000) -> str:
        """Screens a large transfer to a stranger, and returns its id once its case is open."""
        verdict = (await self.screen(units, payee="stranger-" + self.ids.new()[:8])).verdict
        assert verdict.decision == pb.DECISION_REVIEW
        transfer_id: str = verdict.transfer_id
        await eventually(lambda: self._is_open(transfer_id))
        return transfer_id

    async def pay(self, transfer_id: str, units: int, payee: str = "shop") -> None:
        """Announces that the payee of a transfer has the money, twice, and waits until it is noted."""
        amount = Money(minor_units=units * 100, currency="EUR")
        await self._tell(transfers.PaymentCompleted(transfer_id=transfer_id, payer="a", payee=payee, amount=amount))

    async def fail(self, transfer_id: str, code: str) -> None:
        """Announces that a transfer ended without an effect, twice, and waits until it is noted."""
        await self._tell(transfers.PaymentFailed(transfer_id=transfer_id, payer="a", payee="shop", code=code))

    async def _tell(self, event: Any) -> None:
        for number in ("1", "2"):
            await self.world.broker.publish(exchange_of("finance.transfers"), told(event.transfer_id, event, number))
        await eventually(self.world.is_settled)

    async def queue(self) -> list[str]:
        """Returns the transfers whose cases are open, the oldest first."""
        return [case.transfer_id for case in (await self.ask("ListCases", status=pb.CASE_STATUS_OPEN)).cases]

    def announced(self, name: str) -> list[Any]:
        return [one for one in self.world.broker.published if one.type == f"finance.fraud.v1.{name}"]

    async def _is_open(self, transfer_id: str) -> bool:
        return transfer_id in await self.queue()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with embedded(CONTEXT) as world:
        yield Desk(world)


async def test_an_ordinary_transfer_passes(desk: Desk) -> None:
    verdict = (await desk.screen()).verdict
    assert (verdict.decision, verdict.points, list(verdict.reasons)) == (pb.DECISION_ACCEPT, 0, [])


async def test_a_repeated_screening_has_the_first_verdict_and_counts_once(desk: Desk) -> None:
    again: dict[str, Any] = {"request_id": desk.ids.new(), "transfer_id": desk.ids.new()}
    first = await desk.screen(**again)
    await desk.screen()
    assert await desk.screen(**again) == first
    assert len(desk.world.stores[CONTEXT].commits.commits) == 2


async def test_a_transfer_that_does_not_pass_opens_a_case_with_its_reasons(desk: Desk) -> None:
    transfer_id = await desk.case()
    case = (await desk.ask("GetCase", transfer_id=transfer_id)).case
    assert (case.status, case.payer, case.amount.minor_units) == (pb.CASE_STATUS_OPEN, "a", 2_000_000)
    assert [reason.rule for reason in case.verdict.reasons] == ["amount", "new-payee"]


async def test_a_decision_is_announced_once(desk: Desk) -> None:
    transfer_id = await desk.case()
    again = desk.ids.new()
    decided = await desk.ask("DecideCase", request_id=again, transfer_id=transfer_id, fraud=True, by="ann", note="rang")
    assert (decided.case.status, decided.case.decided_by) == (pb.CASE_STATUS_FRAUD, "ann")
    assert decided == await desk.ask(
        "DecideCase", request_id=again, transfer_id=transfer_id, fraud=True, by="ann", note="rang"
    )
    second = await refusal(desk.ask("DecideCase", transfer_id=transfer_id, fraud=False, by="bob"))
    assert second.reason == "DECIDED_ALREADY"
    await eventually(lambda: len(desk.world.broker.published) == 2)
    told = events.CaseDecided.FromString(desk.world.broker.published[1].body)
    assert (told.transfer_id, told.fraud, told.by) == (transfer_id, True, "ann")


async def test_only_a_payee_that_was_paid_is_known_at_the_next_screening(desk: Desk) -> None:
    large = (await desk.screen(10_000)).verdict
    assert [reason.rule for reason in large.reasons] == ["amount", "new-payee"]
    again = (await desk.screen(10_000)).verdict
    assert [reason.rule for reason in again.reasons] == ["amount", "new-payee"]
    await desk.pay(again.transfer_id, 10_000)
    assert [reason.rule for reason in (await desk.screen(10_000)).verdict.reasons] == ["amount"]


async def test_the_payee_of_a_fraud_is_not_known_even_if_it_was_paid(desk: Desk) -> None:
    verdict = (await desk.screen(10_000)).verdict
    await desk.pay(verdict.transfer_id, 10_000)
    await desk.ask("DecideCase", transfer_id=verdict.transfer_id, fraud=True, by="ann")
    await eventually(desk.world.is_settled)
    after = (await desk.screen(10_000)).verdict
    assert [reason.rule for reason in after.reasons] == ["amount", "new-payee"]


async def test_the_case_of_a_failed_transfer_leaves_the_queue_and_may_still_be_decided(desk: Desk) -> None:
    transfer_id, other = await desk.case(), await desk.case(30_000)
    await desk.fail(transfer_id, "CANCELLED")
    assert await desk.queue() == [other]
    case = (await desk.ask("GetCase", transfer_id=transfer_id)).case
    assert (case.status, case.code) == (pb.CASE_STATUS_CLOSED, "CANCELLED")
    told = [events.CaseClosed.FromString(one.body) for one in desk.announced("CaseClosed")]
    assert [(one.transfer_id, one.code) for one in told] == [(transfer_id, "CANCELLED")]
    decided = await desk.ask("DecideCase", transfer_id=transfer_id, fraud=True, by="ann")
    assert decided.case.status == pb.CASE_STATUS_FRAUD
    assert transfer_id not in await desk.queue()


async def test_a_transfer_that_fails_before_its_case_is_opened_never_comes_into_the_queue(desk: Desk) -> None:
    transfer_id = desk.ids.new()
    await desk.fail(transfer_id, "NOT_SCREENED")
    for asked in (
        desk.ask("GetCase", transfer_id=transfer_id),
        desk.ask("DecideCase", transfer_id=transfer_id, by="a"),
    ):
        assert (await refusal(asked)).code is grpc.StatusCode.NOT_FOUND
    await desk.screen(20_000, transfer_id=transfer_id)
    await eventually(desk.world.is_settled)
    assert (await desk.ask("GetCase", transfer_id=transfer_id)).case.status == pb.CASE_STATUS_CLOSED
    assert await desk.queue() == []


async def test_a_transfer_that_fails_before_its_screening_leaves_no_trace(desk: Desk) -> None:
    await desk.fail(desk.ids.new(), "INSUFFICIENT_FUNDS")
    assert not desk.world.stores[CONTEXT].commits.commits


async def test_decisions_are_exported_as_training_data(desk: Desk) -> None:
    stolen, fine = await desk.case(), await desk.case(30_000)
    await desk.ask("DecideCase", transfer_id=stolen, fraud=True, by="ann")
    shown = (await desk.ask("DecideCase", transfer_id=fine, fraud=False, by="ann")).revision
    rows = []
    for fraud in (True, False):
        text = (await desk.ask("ExportDecisions", fraud=fraud, not_before=shown)).csv
        rows += list(csv.DictReader(io.StringIO(text)))
    assert [list(row) for row in rows] == [list(COLUMNS), list(COLUMNS)]
    assert [(row["fraud"], row["new_payee"], row["velocity"]) for row in rows] == [("1", "1", "1"), ("0", "1", "2")]


async def test_a_case_that_is_not_there_is_not_found(desk: Desk) -> None:
    refused = await refusal(desk.ask("DecideCase", transfer_id=desk.ids.new(), fraud=True, by="ann"))
    assert refused.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"payer": "a@1"}, "payer"),
        ({"payee": ""}, "payee"),
        ({"transfer_id": "42"}, "transfer_id"),
        ({"initiated_at": None}, "initiated_at"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(desk: Desk, fields: dict[str, Any], wrong: str) -> None:
    refused = await refusal(desk.screen(**fields))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [wrong])
