"""The books over gRPC: statements of the past, corrections by two people, and a trial balance that is always zero."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from finance.accounts.v1 import accounts_service_pb2 as pb
from finance.money.v1.money_pb2 import Money
from lxml import etree
from treaty.memory.stores import MemoryStores
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import ManualClock, embedded

from services.finance.accounts.application import books
from services.finance.accounts.domain.events import Posted
from services.finance.accounts.projections import TrialBalance, trial_balance
from services.finance.accounts.storage import ACCOUNTS
from services.finance.wire import time_to_wire
from tests.services.finance.accounts.teller import CONTEXT, CUSTOMER, Teller, eur

START = datetime(2026, 5, 6, 12, tzinfo=UTC)
HOUR = 3600.0


class Bank(Teller):
    """A client of Accounts at a bank whose clock is moved by hand."""

    def __init__(self, channel: Any, stores: MemoryStores, clock: ManualClock) -> None:
        super().__init__(channel)
        self.stores, self.clock = stores, clock

    async def statement(self, **more: Any) -> Any:
        shown = (await self.ask("GetAccount", account_id="a")).revision
        return await self.ask("GetStatement", account_id="a", not_before=shown, **more)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    clock = ManualClock(START)
    async with embedded(CONTEXT, clock=clock) as world:
        yield Bank(world.channel, world.stores[CONTEXT], clock)


async def _a_day(bank: Bank) -> None:
    await bank.open("a", 1000)
    bank.clock.advance(HOUR)
    await bank.withdraw("a", 300)
    bank.clock.advance(HOUR)
    hold = (await bank.reserve("a", 500, seconds=9 * HOUR)).hold_id
    await bank.capture("a", hold, 200, reference="transfer-1")


async def test_a_statement_has_running_balances_and_causes_the_latest_first(bank: Bank) -> None:
    await _a_day(bank)
    read = await bank.statement()
    lines = [(line.amount.minor_units, line.balance.minor_units, line.purpose, line.contra) for line in read.lines]
    assert lines == [
        (-200, 500, pb.PURPOSE_TRANSFER_OUT, "contra:transfers"),
        (-300, 700, pb.PURPOSE_WITHDRAWAL, "contra:cash"),
        (1000, 1000, pb.PURPOSE_DEPOSIT, "contra:cash"),
    ]
    assert [line.reference for line in read.lines] == ["transfer-1", "cash", "cash"]
    assert (read.opening, read.closing, read.next_page_token) == (0, 500, "")


async def test_a_statement_of_the_past_has_the_balances_of_then(bank: Bank) -> None:
    await _a_day(bank)
    second = START + timedelta(hours=1)
    period = {"start": time_to_wire(second), "end": time_to_wire(second + timedelta(hours=1))}
    read = await bank.statement(**period)
    assert ([line.balance.minor_units for line in read.lines], read.opening, read.closing) == ([700], 1000, 700)
    before = await bank.statement(end=time_to_wire(START))
    assert (list(before.lines), before.opening, before.closing) == ([], 0, 0)
    quiet = await bank.statement(start=time_to_wire(START + timedelta(days=9)))
    assert (list(quiet.lines), quiet.opening, quiet.closing) == ([], 500, 500)


CAMT = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}"


async def _file(bank: Bank, account_id: str, start: datetime, end: datetime) -> Any:
    shown = (await bank.ask("GetAccount", account_id=account_id)).revision
    period = {"start": time_to_wire(start), "end": time_to_wire(end), "not_before": shown}
    return etree.fromstring((await bank.ask("GetStatementFile", account_id=account_id, **period)).xml)


async def test_a_statement_is_a_camt_053_file_the_oldest_posting_first(bank: Bank) -> None:
    await _a_day(bank)
    root = await _file(bank, "a", START, START + timedelta(days=1))
    entries = [
        (
            one.findtext(f"{CAMT}Amt"),
            one.findtext(f"{CAMT}CdtDbtInd"),
            one.findtext(f"{CAMT}BkTxCd/{CAMT}Prtry/{CAMT}Cd"),
        )
        for one in root.iter(f"{CAMT}Ntry")
    ]
    assert entries == [("10.00", "CRDT", "deposit"), ("3.00", "DBIT", "withdrawal"), ("2.00", "DBIT", "transfer-out")]
    balances = [(one.findtext(f".//{CAMT}Cd"), one.findtext(f"{CAMT}Amt")) for one in root.iter(f"{CAMT}Bal")]
    assert balances == [("OPBD", "0.00"), ("CLBD", "5.00")]
    later = await _file(bank, "a", START + timedelta(hours=1), START + timedelta(hours=2))
    assert [one.findtext(f"{CAMT}Amt") for one in later.iter(f"{CAMT}Bal")] == ["10.00", "7.00"]


async def test_a_statement_file_has_the_decimals_of_its_currency_and_an_overdraft_is_a_debit(bank: Bank) -> None:
    long = "a" * 64
    await bank.ask("OpenAccount", account_id=long, kind=CUSTOMER, currency="BHD", holder_id="h", overdraft=5000)
    amount = Money(minor_units=1234, currency="BHD")
    await bank.withdraw(long, 0, amount=amount)
    root = await _file(bank, long, START, START + timedelta(days=1))
    closing = list(root.iter(f"{CAMT}Bal"))[1]
    assert (closing.findtext(f"{CAMT}Amt"), closing.findtext(f"{CAMT}CdtDbtInd")) == ("1.234", "DBIT")
    assert root.findtext(f".//{CAMT}Acct/{CAMT}Nm") == long


async def test_a_statement_file_of_too_many_postings_is_refused_and_says_so(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "MOST_LINES", 2)
    await _a_day(bank)
    refused = await refusal(_file(bank, "a", START, START + timedelta(days=1)))
    assert refused.reason == "TOO_MANY_POSTINGS"


async def test_a_statement_comes_page_by_page_also_within_one_moment(bank: Bank) -> None:
    await bank.open("a")
    for units in range(1, 8):
        await bank.deposit("a", units)
    seen: list[int] = []
    page = await bank.statement(page_size=3)
    while True:
        seen += [line.amount.minor_units for line in page.lines]
        if not page.next_page_token:
            break
        page = await bank.statement(page_size=3, page_token=page.next_page_token)
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_the_trial_balance_is_zero_at_every_position_of_the_log(bank: Bank) -> None:
    await _a_day(bank)
    await bank.open("b", 50)
    row: TrialBalance | None = None
    positions = 0
    for commit in bank.stores.commits.commits:
        for document in commit.events:
            event = ACCOUNTS.events.decode(document)
            row = trial_balance("EUR", row, event)
        positions += 1
        assert row is None or row.difference == 0
    assert positions == len(bank.stores.commits.commits) == 7
    shown = (await bank.ask("GetAccount", account_id="b")).revision
    [answer] = (await bank.ask("GetTrialBalance", not_before=shown)).balances
    sums = {ledger.ledger: ledger.credits - ledger.debits for ledger in answer.ledgers}
    assert sums == {"customer": 550, "contra:cash": -750, "contra:transfers": 200}
    assert (answer.currency, answer.postings, answer.difference) == ("EUR", 4, 0)


async def test_the_ledger_is_exported_with_both_sides_of_every_posting(bank: Bank) -> None:
    await _a_day(bank)
    shown = (await bank.ask("GetAccount", account_id="a")).revision
    first = await bank.ask("ExportLedger", page_size=2, not_before=shown)
    rest = await bank.ask("ExportLedger", page_size=2, page_token=first.next_page_token)
    lines = list(csv.DictReader(io.StringIO(first.csv + rest.csv)))
    assert [(line["ledger"], line["account"], line["amount"]) for line in lines] == [
        ("customer", "a", "-2.00"),
        ("contra:transfers", "", "2.00"),
        ("customer", "a", "-3.00"),
        ("contra:cash", "", "3.00"),
        ("customer", "a", "10.00"),
        ("contra:cash", "", "-10.00"),
    ]
    assert {line["posting"] for line in lines} == {f"a/{number:012d}" for number in (1, 2, 3)}


async def _posting(bank: Bank) -> str:
    await bank.open("a")
    posting: str = (await bank.deposit("a", 1000)).posting_id
    await bank.statement()
    return posting


async def _has(bank: Bank, posting: str, status: int) -> Any:
    found = (await bank.ask("GetCorrection", posting_id=posting)).correction
    return found if found.status == status else None


async def test_a_correction_by_two_people_posts_the_opposite_once(bank: Bank) -> None:
    posting = await _posting(bank)
    proposed = await bank.ask("ProposeCorrection", posting_id=posting, reason="typed twice", by="ann")
    assert (proposed.correction.amount, proposed.correction.account_id) == (eur(-1000), "a")
    alone = await refusal(bank.ask("ApproveCorrection", posting_id=posting, by="ann"))
    assert alone.reason == "SAME_PERSON"
    await bank.ask("ApproveCorrection", posting_id=posting, by="bob")
    done = await eventually(lambda: _has(bank, posting, pb.CORRECTION_STATUS_POSTED))
    line = (await bank.statement()).lines[0]
    assert (line.posting_id, line.reference, line.purpose) == (
        done.correcting_posting_id,
        posting,
        pb.PURPOSE_CORRECTION,
    )
    again = await refusal(bank.ask("ProposeCorrection", posting_id=posting, reason="again", by="ann"))
    assert again.reason == "CORRECTED_ALREADY"
    assert await bank.balance("a") == (0, 0)


async def test_a_correction_of_money_that_is_spent_is_refused_and_says_why(bank: Bank) -> None:
    posting = await _posting(bank)
    await bank.withdraw("a", 1)
    await bank.ask("ProposeCorrection", posting_id=posting, reason="typed twice", by="ann")
    shown = (await bank.ask("ApproveCorrection", posting_id=posting, by="bob")).revision
    refused = await eventually(lambda: _has(bank, posting, pb.CORRECTION_STATUS_REFUSED))
    assert "9.99 EUR available" in refused.answer
    await eventually(lambda: _is_listed(bank, posting, shown))
    assert await bank.balance("a") == (999, 999)


async def _is_listed(bank: Bank, posting: str, shown: str) -> bool:
    listed = await bank.ask("ListCorrections", status=pb.CORRECTION_STATUS_REFUSED, not_before=shown)
    return [one.posting_id for one in listed.corrections] == [posting]


async def test_a_declined_correction_may_be_proposed_again(bank: Bank) -> None:
    posting = await _posting(bank)
    await bank.ask("ProposeCorrection", posting_id=posting, reason="typed twice", by="ann")
    declined = await bank.ask("DeclineCorrection", posting_id=posting, reason="it was right", by="bob")
    assert (declined.correction.answer, declined.correction.decided_by) == ("it was right", "bob")
    again = await bank.ask("ProposeCorrection", posting_id=posting, reason="look again", by="ann")
    assert again.correction.status == pb.CORRECTION_STATUS_PROPOSED


async def test_a_posting_that_is_not_there_is_not_corrected(bank: Bank) -> None:
    await bank.open("a")
    refused = await refusal(bank.ask("ProposeCorrection", posting_id="a/000000000001", reason="why", by="ann"))
    assert refused.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.slow
async def test_interest_is_posted_by_its_timer_at_the_beginning_of_the_month(bank: Bank) -> None:
    await bank.open("a", 10_000_000, rates=pb.Rates(credit=100))
    bank.clock.advance(26 * 24 * HOUR)
    await eventually(lambda: _has_interest(bank))
    line = (await bank.statement()).lines[0]
    assert (line.purpose, line.reference, line.contra) == (
        pb.PURPOSE_INTEREST,
        "interest/2026-06-01",
        "contra:interest",
    )
    assert line.amount == eur(10_000_000 * 100 * 26 // (10_000 * 365))


async def _has_interest(bank: Bank) -> bool:
    return (await bank.balance("a"))[0] > 10_000_000


@pytest.mark.slow
async def test_an_account_with_many_postings_keeps_the_state_of_a_new_one(bank: Bank) -> None:
    await bank.open("a")
    for _ in range(100):
        hold = (await bank.reserve("a", 1)).hold_id if await bank.deposit("a", 2) else ""
        await bank.capture("a", hold, 1)
    sizes = {commit.version: len(repr(commit.state)) for commit in bank.stores.commits.commits}
    assert sizes[301] < sizes[102] * 1.1
    assert sum(isinstance(event, Posted) for event in _events(bank)) == 200


def _events(bank: Bank) -> list[Any]:
    return [ACCOUNTS.events.decode(event) for commit in bank.stores.commits.commits for event in commit.events]
