"""Payment files: parsed safely, refused as a whole or line by line, carried out once, reported in pain.002."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import grpc
import pytest
from finance.transfers.v1 import transfers_service_pb2 as pb
from lxml import etree
from treaty.clock import SystemClock
from treaty.domain import Call, Invalid, Rejected
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import ManualClock, World, embedded

from services.finance.money import LIMIT, Money
from services.finance.transfers.application.commands import PlaceOrder
from services.finance.transfers.application.files import Execution, make_transfers
from services.finance.transfers.application.orders import Orders
from services.finance.transfers.clients import TargetDays
from services.finance.transfers.domain.events import OrderRan
from services.finance.transfers.domain.file import PaymentFile
from services.finance.transfers.domain.lines import BadLine, account_of, amount_of, execution_day, is_iban, line_of
from services.finance.transfers.domain.order import Order
from services.finance.transfers.external.iso20022.messages import (
    LARGEST_BYTES,
    group_status,
    read_initiation,
)
from services.finance.transfers.storage import TRANSFER_ROWS
from tests.services.finance.bank import CONTEXTS, Bank
from tests.services.finance.transfers.files import GOOD_IBAN, Sent, file_of

NOON = datetime(2026, 5, 6, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
_OUT = "{urn:iso:std:iso:20022:tech:xsd:pain.002.001.03}"


def test_a_file_is_read_with_its_accounts_and_amounts() -> None:
    read = read_initiation(file_of([Sent(), Sent(payee=GOOD_IBAN, amount="1.5", end_to_end="e-2")], total="4.5"))
    assert read.message_id == "m-1"
    assert [(one.payer, one.payee, one.amount, one.end_to_end) for one in read.instructions] == [
        ("ann", "bob", "3.00", "e-1"),
        ("ann", f"IBAN {GOOD_IBAN}", "1.5", "e-2"),
    ]


@pytest.mark.parametrize("inside", ["<!-- x -->", "<?x y?>"])
def test_what_is_no_text_does_not_cut_a_text(inside: str) -> None:
    [read] = read_initiation(file_of([Sent(amount=f"5{inside}0", payee=f"bo{inside}b")])).instructions
    assert (read.amount, read.payee) == ("50", "bob")


@pytest.mark.parametrize("day", ["2026-05-06", "2026-05-06Z", "2026-05-06+02:00"])
def test_an_execution_date_may_have_a_time_zone(day: str) -> None:
    assert read_initiation(file_of([Sent()], day=day)).instructions[0].execute_on == "2026-05-06"


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"count": 2}, "says 2 transactions, and has 1"), ({"total": "3.01"}, "says a sum of 3.01, and has 3.00")],
)
def test_a_wrong_number_or_control_sum_refuses_the_file(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        read_initiation(file_of([Sent()], **changes))
    assert refused.value.reason == "AM10"


def test_a_control_sum_is_compared_to_the_cent() -> None:
    cents = [Sent(amount="4.80"), Sent(amount="2.97", end_to_end="e-2")]
    assert len(read_initiation(file_of(cents, total="7.77")).instructions) == 2
    with pytest.raises(Rejected):
        read_initiation(file_of(cents, total="7.78"))


ENTITY = '<!DOCTYPE Document [<!ENTITY who SYSTEM "file:///etc/hostname">]>'
BOMB = '<!DOCTYPE Document [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no xml", "no XML"),
        (b"", "no XML"),
        (b"<Document/>", "no pain.001.001.09"),
        (file_of([Sent()], message_id="x" * 36), "no pain.001.001.09"),
        (file_of([]), "no pain.001.001.09"),
        (file_of([Sent(end_to_end="&who;")], head=ENTITY), "document type"),
        (file_of([Sent(end_to_end="&b;")], head=BOMB), "document type"),
        (b" " * (LARGEST_BYTES + 1), "at most 3,000,000"),
        (file_of([Sent()])[:-30], "no XML"),
        (file_of([Sent()], day="10000-01-05"), "no execution date"),
        (file_of([Sent()], day="-2026-01-05"), "no execution date"),
        (file_of([Sent()], day="0001-01-01"), "no execution date"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_and_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        read_initiation(data)
    assert refused.value.field == "xml"
    assert "root:" not in refused.value.message


@pytest.mark.parametrize(
    ("iban", "right"),
    [
        (GOOD_IBAN, True),
        ("GB82WEST12345698765432", True),
        ("DE89370400440532013001", False),
        ("DE8937", False),
        ("", False),
    ],
)
def test_the_check_digits_of_an_iban_are_checked(iban: str, right: bool) -> None:
    assert is_iban(iban) is right


def test_an_account_is_an_iban_in_small_letters_or_an_id_of_the_bank() -> None:
    assert account_of(f"IBAN {GOOD_IBAN}") == GOOD_IBAN.lower()
    assert account_of("bob") == "bob"
    for wrong in ("IBAN DE00370400440532013000", "", "a b", "x" * 65):
        with pytest.raises(BadLine) as refused:
            account_of(wrong)
        assert refused.value.code == "AC01"


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("10.50", "EUR", Money(1050, "EUR")),
        ("10.5", "EUR", Money(1050, "EUR")),
        ("10", "JPY", Money(10, "JPY")),
        ("10.00", "JPY", Money(10, "JPY")),
        ("1.234", "BHD", Money(1234, "BHD")),
        ("10.50", "JPY", "AM12"),
        ("10.505", "EUR", "AM12"),
        ("0", "EUR", "AM01"),
        ("1", "XAU", "AM03"),
        ("1", "ABC", "AM03"),
        (str(LIMIT), "EUR", "AM12"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(text: str, currency: str, expected: Money | str) -> None:
    if isinstance(expected, Money):
        assert amount_of(text, currency) == expected
        return
    with pytest.raises(BadLine) as refused:
        amount_of(text, currency)
    assert refused.value.code == expected


@pytest.mark.parametrize(
    ("wanted", "now", "day", "at_once"),
    [
        ("2026-05-06", datetime(2026, 5, 6, 13, 59, 59, tzinfo=UTC), "2026-05-06", True),
        ("2026-05-06", datetime(2026, 5, 6, 14, 0, tzinfo=UTC), "2026-05-07", False),  # 16:00 in Berlin, the cut-off
        ("2026-05-01", datetime(2026, 5, 6, 8, 0, tzinfo=UTC), "2026-05-06", True),
        ("2026-05-10", datetime(2026, 5, 6, 8, 0, tzinfo=UTC), "2026-05-11", False),  # a Sunday
        ("2026-05-10", datetime(2026, 5, 10, 8, 0, tzinfo=UTC), "2026-05-11", False),
        ("2026-04-02", datetime(2026, 4, 2, 20, 0, tzinfo=UTC), "2026-04-07", False),  # Easter
    ],
)
def test_a_line_is_carried_out_on_a_banking_day_before_the_cut_off(
    wanted: str, now: datetime, day: str, at_once: bool
) -> None:
    found, today = execution_day(wanted, now, time(16), BERLIN, TargetDays())
    assert (str(found), today) == (day, at_once)


@pytest.mark.parametrize(
    ("statuses", "group"),
    [
        (["ACSC", "ACSC"], "ACSC"),
        (["ACSC", "ACCP"], "ACCP"),
        (["ACSC", "PDNG"], "ACCP"),
        (["ACSC", "RJCT"], "PART"),
        (["RJCT", "RJCT"], "RJCT"),
    ],
)
def test_the_status_of_a_group_follows_from_its_lines(statuses: list[str], group: str) -> None:
    assert group_status(statuses) == group


class Sender(Bank):
    """A customer who sends files."""

    async def send(self, data: bytes, **more: Any) -> Any:
        return await self.ask("SubmitFile", customer_id="of-ann", initiated_by="ann", xml=data, **more)

    async def report(self, file_id: str) -> tuple[str, dict[str, tuple[str, str]]]:
        """Returns the status of a file, and the status and the code of each line."""
        answer = await self.ask("GetFileStatus", file_id=file_id)
        root = etree.fromstring(answer.xml)
        assert root.findtext(f".//{_OUT}GrpSts") == answer.status
        lines = {
            str(one.findtext(f"{_OUT}OrgnlEndToEndId")): (
                str(one.findtext(f"{_OUT}TxSts")),
                str(one.findtext(f"{_OUT}StsRsnInf/{_OUT}Rsn/{_OUT}Cd") or ""),
            )
            for one in root.iter(f"{_OUT}TxInfAndSts")
        }
        return answer.status, lines

    async def final(self, file_id: str, **wanted: tuple[str, str]) -> str:
        """Waits until the lines have these statuses and codes; returns the status of the file."""

        async def found() -> str:
            status, lines = await self.report(file_id)
            return status if lines == {name.replace("_", "-"): value for name, value in wanted.items()} else ""

        return await eventually(found)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with embedded(*CONTEXTS, clock=ManualClock(NOON)) as world:
        yield Sender(world)


async def test_one_bad_line_of_three_refuses_its_transfer_and_not_the_file(sender: Sender) -> None:
    await sender.open(ann=1000, bob=0)
    sent = [Sent(), Sent(currency="JPY", amount="10.50", end_to_end="e-2"), Sent(end_to_end="e-3")]
    answer = await sender.send(file_of(sent))
    assert (answer.accepted, answer.refused) == (2, 1)
    status = await sender.final(answer.file_id, e_1=("ACSC", ""), e_2=("RJCT", "AM12"), e_3=("ACSC", ""))
    assert status == "PART"
    assert await sender.balances("ann", "bob") == [(400, 400), (600, 600)]


async def test_a_refused_transfer_is_reported_with_the_code_of_its_cause(sender: Sender) -> None:
    await sender.open(ann=1000, bob=0, closed=0, frozen=0)
    await sender.teller.ask("CloseAccount", account_id="closed")
    await sender.teller.ask("FreezeAccount", account_id="frozen", reason="why", by="clerk")
    payees = ["XX00370400440532013000", GOOD_IBAN, "closed", "frozen"]
    sent = [Sent(payee=payee, end_to_end=f"e-{number}") for number, payee in enumerate(payees, 1)]
    answer = await sender.send(file_of([*sent, Sent(amount="99.00", end_to_end="e-5")]))
    status = await sender.final(
        answer.file_id,
        e_1=("RJCT", "AC01"),
        e_2=("RJCT", "AC01"),
        e_3=("RJCT", "AC04"),
        e_4=("RJCT", "AC06"),
        e_5=("RJCT", "AM04"),
    )
    assert status == "RJCT"
    assert await sender.balances("ann") == [(1000, 1000)]


async def test_a_line_that_waits_for_its_day_shows_its_order_and_can_be_cancelled(sender: Sender) -> None:
    await sender.open(ann=1000, bob=0)
    now = (await sender.send(file_of([Sent()], message_id="m-0"))).file_id
    answer = await sender.send(
        file_of([Sent(), Sent(payee="XX00370400440532013000", end_to_end="e-2")], day="2026-05-20")
    )
    await sender.settled()
    asked = await sender.ask("GetFileStatus", file_id=answer.file_id)
    waits, refused = asked.lines
    assert (waits.end_to_end, waits.status, refused.status, refused.code) == ("e-1", "ACCP", "RJCT", "AC01")
    assert (refused.transfer_id, refused.order_id) == ("", "")
    [listed] = (await sender.ask("ListOrders", payer="ann")).orders
    assert (listed.order_id, listed.every, listed.amount.minor_units) == (waits.order_id, pb.EVERY_ONCE, 300)
    await sender.ask("EndOrder", order_id=waits.order_id, by="ann", reason="a mistake")
    await sender.final(answer.file_id, e_1=("RJCT", "NARR"), e_2=("RJCT", "AC01"))
    assert not (await sender.ask("ListOrders", payer="ann")).orders
    assert [one.ended for one in (await sender.ask("ListOrders", with_ended=True)).orders] == [True]
    [at_once] = (await sender.ask("GetFileStatus", file_id=now)).lines
    assert at_once.order_id == ""
    assert (await sender.get(at_once.transfer_id)).terms.reference == now


async def test_the_same_file_twice_has_one_effect(sender: Sender) -> None:
    await sender.open(ann=1000, bob=0)
    again = sender.ids.new()
    first = await sender.send(file_of([Sent()]), request_id=again)
    assert await sender.send(file_of([Sent()]), request_id=again) == first
    refused = await refusal(sender.send(file_of([Sent()])))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "AM05")
    await sender.final(first.file_id, e_1=("ACSC", ""))
    await sender.settled()
    assert await sender.balances("ann", "bob") == [(700, 700), (300, 300)]


async def test_a_file_that_is_refused_books_nothing_and_may_be_sent_again_when_it_is_right(sender: Sender) -> None:
    await sender.open(ann=1000, bob=0)
    refused = await refusal(sender.send(file_of([Sent()], total="9.00")))
    assert refused.reason == "AM10"
    await sender.settled()
    assert await sender.balances("ann", "bob") == [(1000, 1000), (0, 0)]
    answer = await sender.send(file_of([Sent()], total="3.00"))
    assert await sender.final(answer.file_id, e_1=("ACSC", "")) == "ACSC"


async def test_a_line_is_carried_out_although_its_day_came_before_it_was_scheduled() -> None:
    """The followers were down from the acceptance of the file until after the time of its run."""
    orders, order = (
        Orders(
            orders=cast(Any, None), order_rows=cast(Any, None), is_banking_day=TargetDays(), clock=ManualClock(NOON)
        ),
        Order(id="o"),
    )

    class Only:
        async def add(self, id: str, decide: Any) -> None:
            decide(order)

    execution = Execution(rules=cast(Any, SimpleNamespace(zone=BERLIN)), is_banking_day=TargetDays(), cut_off=time(16))
    file = PaymentFile(id="f")
    late = replace(orders, orders=cast(Any, Only()), clock=ManualClock(NOON + timedelta(days=30)))
    line = line_of(read_initiation(file_of([Sent()], day="2026-05-10")).instructions[0])
    file.accept(message_id="m", customer_id="c", initiated_by="ann", lines=(line,), now=NOON)
    [accepted] = file.take_recorded()
    [call] = make_transfers(execution)(file, accepted)
    assert isinstance(call, Call)
    await late.place(cast(PlaceOrder, call.command))
    assert order.next_at is not None
    order.run(order.next_at, late.clock.now(), TargetDays())
    ran = order.take_recorded()[-1]
    assert isinstance(ran, OrderRan)
    assert ran.made == ("2026-05-11",)


def test_the_day_of_a_line_stays_when_the_cut_off_changes() -> None:
    early = Execution(rules=cast(Any, SimpleNamespace(zone=BERLIN)), is_banking_day=TargetDays(), cut_off=time(11))
    late = replace(early, cut_off=time(16))
    line = line_of(read_initiation(file_of([Sent()])).instructions[0])
    assert [one.day_of(line, NOON) for one in (early, late)] == [("2026-05-07", False), ("2026-05-06", True)]
    decided = late.decided(line, NOON)
    assert [one.day_of(decided, NOON) for one in (early, late)] == [("2026-05-06", True)] * 2


@pytest.mark.slow
async def test_a_line_for_a_later_day_waits_for_its_banking_day() -> None:
    clock = ManualClock(NOON)
    async with embedded(*CONTEXTS, clock=clock) as world:
        sender = Sender(world)
        await sender.open(ann=1000, bob=0)
        answer = await sender.send(file_of([Sent()], day="2026-05-10"))
        await sender.settled()
        assert await sender.report(answer.file_id) == ("ACCP", {"e-1": ("ACCP", "")})
        clock.advance(5 * 86_400)
        await sender.final(answer.file_id, e_1=("ACSC", ""))
        [made] = (await sender.ask("ListTransfers", payer="ann", status=pb.TRANSFER_STATUS_COMPLETED)).transfers
        assert (await sender.get(made.transfer_id)).due_on == "2026-05-11"


async def test_a_file_that_is_too_long_is_refused(sender: Sender) -> None:
    sent = [Sent(end_to_end=f"e-{number}") for number in range(1001)]
    refused = await refusal(sender.send(file_of(sent)))
    assert list(refused.fields) == ["xml"]


class FromNoon:
    """A clock that starts on a banking day at noon, and runs."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._before = self._clock.now() - NOON

    def now(self) -> datetime:
        return self._clock.now() - self._before


@pytest.mark.slow
async def test_the_salaries_of_a_company_are_one_batch_and_no_reason_for_suspicion() -> None:
    people = [f"p-{number}" for number in range(20)]
    async with embedded(*CONTEXTS, clock=FromNoon()) as world:
        sender = Sender(world)
        await sender.open(ann=100_000_000, **dict.fromkeys(people, 0))
        sent = [Sent(amount="2000.00", payee=people[n % 20], end_to_end=f"e-{n}") for n in range(200)]
        answer = await sender.send(file_of(sent))
        await eventually(lambda: _completed(world, 25), within=60)
        await eventually(lambda: _has_ended(sender, answer.file_id), within=60)
        status, lines = await sender.report(answer.file_id)
        assert (status, set(lines.values())) == ("PART", {("ACSC", ""), ("RJCT", "AM02")})
        assert list(lines.values()).count(("ACSC", "")) == 25, "the daily limit is 50,000"
        assert (await sender.balances("ann"))[0] == (95_000_000, 95_000_000)


async def _completed(world: World, count: int) -> bool:
    rows = world.stores["finance.transfers"].rows(TRANSFER_ROWS)
    return await rows.count({"status": "completed"}) >= count


async def _has_ended(sender: Sender, file_id: str) -> bool:
    _, lines = await sender.report(file_id)
    return not {"ACCP", "PDNG"} & {status for status, _ in lines.values()}
