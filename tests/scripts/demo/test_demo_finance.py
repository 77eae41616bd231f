"""The demo of the domain finance, as a newcomer runs it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as transfers
from treaty.probes import NoProbe
from treaty.testing.world import embedded

from scripts.lib.demo_finance.__main__ import time_zone
from scripts.lib.demo_finance.bank import Bank, own_payments
from scripts.lib.demo_finance.evidence import Evidence, evidence_of
from scripts.lib.demo_finance.plans import Planned
from scripts.lib.demo_finance.report import Results
from scripts.lib.demos.clients import Clients
from scripts.lib.demos.place import Place
from tests.checkouts import copy_checkout
from tests.scripts.demo.test_demo import demo, figures, finished, still_running
from tests.services.finance.bank import CONTEXTS
from tests.services.finance.bank import Bank as FinanceBank
from tests.services.finance.transfers.files import Sent, file_of

BALANCED = {
    "accounts": 15,
    "failed": 5,
    "refused": 3,
    "fraud_cases": 3,
    "approvals": 1,
    "refunds": 1,
    "trial_balance": 0,
    "chain_valid": True,
    "tampering_found": True,
    "balanced": True,
    "outbox": 0,
    "queued": 0,
    "quarantined": 0,
    "trace_services": 4,
}


async def adds_up(*arguments: str) -> None:
    code, output = await finished(await demo("finance", *arguments, "--json"))
    assert code == 0, output
    *report, _ = output.splitlines()
    assert next(filter(None, report)).startswith("It adds up"), "the verdict comes first"
    assert len(report) <= 34
    assert [line for line in report if len(line) > 80] == []
    found = figures(output)
    assert {name: found[name] for name in BALANCED} == BALANCED
    on_any_day = found["transfers"] + found["waiting"], found["completed"] + found["waiting"]
    assert on_any_day == (22, 17), "on a day that is no banking day, the salaries wait"
    assert not still_running()


@pytest.mark.slow
async def test_the_embedded_bank_adds_up() -> None:
    await adds_up("--embedded")


@pytest.mark.slow
@pytest.mark.infra
async def test_the_bank_adds_up() -> None:
    await adds_up()


@pytest.mark.slow
async def test_the_bank_carries_out_the_file_of_a_person(tmp_path: Path) -> None:
    file = tmp_path / "mine.xml"
    sent = [Sent(), Sent(payee="cleo", amount="6.00"), Sent(amount="0.001"), Sent(payee="dora", currency="USD")]
    file.write_bytes(file_of(sent, day="2101-05-06"))
    code, output = await finished(await demo("finance", "--embedded", "--json", "--payments", str(file)))
    assert code == 0, output
    found = figures(output)
    assert "4 lines, 0 paid, 1 refused, 3 for a later banking day" in output
    assert (found["accounts"], found["transfers"], found["waiting"]) == (20, 16, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"Date;Payee;Amount", "is not used: the file is no XML"),
        (b"<Document/>", "is not used: the file is no pain.001.001.09: line 1"),
        (file_of([Sent()], count=7), "is not used: the file says 7 transactions, and has 1"),
        (file_of([Sent()] * 1001), "is not used: the file has 1001 transactions, and 1000 are the most"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_before_anything_starts(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    checkout = copy_checkout(tmp_path)
    file = tmp_path / "wrong.xml"
    if content is not None:
        file.write_bytes(content)
    run = checkout.run("scripts/demo", "finance", "--payments", str(file))
    assert run.returncode == 2, run.stderr
    assert sentence in run.stdout.replace(" \n", " ").replace("\n", " ")
    assert not (tmp_path / ".dev" / "mongodb").exists()


def test_the_bank_is_in_a_time_zone_where_it_is_noon() -> None:
    begin = datetime(2026, 11, 27, tzinfo=UTC)
    moments = [begin + timedelta(hours=hour) for hour in range(24)]
    assert {moment.astimezone(ZoneInfo(time_zone(moment))).hour for moment in moments} == {12}


@pytest.mark.parametrize(("day", "waiting"), [(27, 0), (28, 6)])
def test_salaries_wait_on_a_day_that_is_no_banking_day(day: int, waiting: int) -> None:
    now = datetime(2026, 11, day, 12, tzinfo=UTC)
    assert own_payments("1", now.date()).waiting(now, ZoneInfo("UTC")) == waiting


def _eur(units: int) -> Money:
    return Money(minor_units=units, currency="EUR")


def _account(name: str, units: int, held: int = 0) -> accounts.Account:
    return accounts.Account(
        account_id=name, balance=_eur(units), available=_eur(units - held), open_holds=int(held > 0)
    )


def _balance(customers: int, in_transit: int = 0, difference: int = 0) -> accounts.TrialBalance:
    ledgers = [
        accounts.LedgerSum(ledger="customer", credits=customers),
        accounts.LedgerSum(ledger="contra:cash", debits=customers - in_transit),
        accounts.LedgerSum(ledger="contra:transfers", debits=in_transit),
    ]
    return accounts.TrialBalance(currency="EUR", ledgers=ledgers, difference=difference)


def _transfer(status: int = transfers.TRANSFER_STATUS_COMPLETED) -> transfers.Transfer:
    terms = transfers.Terms(payer="ann", payee="bob", amount=_eur(300), customer_id="of-ann")
    return transfers.Transfer(transfer_id="t-1", status=transfers.TransferStatus.ValueType(status), terms=terms)


def _results() -> Results:
    """Returns the results of two accounts and one transfer of 3 euros between them."""
    bank = Bank(
        clients=Clients(addresses={}, stubs={}, probe=NoProbe()),
        run="1",
        payments=own_payments("1", date(2026, 11, 27)),
        zone="UTC",
        opening={"ann": 1000, "bob": 1000},
        plans={"t-1": Planned(payer="ann", payee="bob", units=3)},
    )
    summary = accounts.AccountSummary(account_id="ann", kind=kinds.ACCOUNT_KIND_CUSTOMER, balance=_eur(2000))
    return Results(
        bank=bank,
        accounts=[_account("ann", 700), _account("bob", 1300)],
        transfers=[_transfer()],
        cases=[],
        all_accounts=[summary],
        balances=[_balance(2000)],
        of="ann",
        statement=accounts.GetStatementResponse(),
        file=Counter(),
        backlogs={},
        handled=True,
        trace=(),
        evidence=Evidence(sealed=7, chain_valid=True, tampering_found=True, restored=True),
    )


def test_totals_that_add_up_are_balanced() -> None:
    assert _results().differences == []
    assert _results().balanced


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"accounts": [_account("ann", 701)]}, "account ann has 701, and must have 700"),
        ({"accounts": [_account("ann", 700, held=5)]}, "account ann has a hold that has not ended"),
        ({"balances": [_balance(2000, difference=1)]}, "the trial balance of EUR is off by 1"),
        ({"balances": [_balance(2000, in_transit=7)]}, "-7 EUR are still between two accounts"),
        ({"all_accounts": []}, "the customer accounts in EUR hold other money than their ledger"),
        ({"transfers": [_transfer(transfers.TRANSFER_STATUS_CAPTURING)]}, "is STILL_CAPTURING, not COMPLETED"),
        ({"transfers": []}, "is not listed, not COMPLETED"),
        ({"file": Counter({"ACSC": 1})}, "the status of the file has {'ACSC': 1}, and 0 of its transfers"),
        ({"file": Counter({"RJCT": 1})}, "the status of the file has 1 lines, and 0 were sent"),
        ({"evidence": Evidence(tampering_found=True, restored=True)}, "commits have changed since they were sealed"),
        ({"evidence": Evidence(chain_valid=True, restored=True)}, "the verification did not find it"),
        ({"evidence": Evidence(chain_valid=True, tampering_found=True)}, "the edited commit is not as it was"),
        ({"handled": False}, "not every event was handled by its subscribers"),
    ],
)
def test_a_total_that_does_not_add_up_is_told(values: dict[str, object], said: str) -> None:
    results = replace(_results(), **values)  # type: ignore[arg-type]
    assert not results.balanced
    assert any(said in difference for difference in results.differences), results.differences


async def test_an_edit_is_found_and_taken_back_and_an_edit_of_before_is_told() -> None:
    async with embedded(*CONTEXTS) as world:
        bank = FinanceBank(world)
        await bank.open(ann=1000, bob=0)
        await bank.move(300)
        await bank.settled()
        place = Place(addresses={}, stores=world.stores, broker=world.broker)
        sound = await evidence_of(place, "ann")
        assert (sound.chain_valid, sound.tampering_found, sound.restored) == (True, True, True)
        assert sound.sealed == sum(len(stores.commits.commits) for stores in world.stores.values())
        commits = world.stores["finance.fraud"].commits
        profile = commits.commits[0]
        commits.spoil(profile.id)
        await commits.replace(replace(profile, events=()))
        edited = await evidence_of(place, "ann")
        assert (edited.chain_valid, edited.tampering_found, edited.restored) == (False, False, False)
