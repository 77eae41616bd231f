"""Accounts over gRPC: one outcome for each request, holds with timers, and holders that can be erased."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from finance.accounts.v1 import accounts_events_pb2 as events
from finance.accounts.v1 import accounts_service_pb2 as pb
from finance.money.v1.money_pb2 import Money
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import World, embedded

from tests.services.finance.accounts.teller import CONTEXT, CUSTOMER, Teller, eur

INVALID, REFUSED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
PERSON: dict[str, Any] = {"name": "Ann Smith", "email": "ann.smith@example.com"}


class Bank(Teller):
    """A client of Accounts, and the world it runs in."""

    def __init__(self, world: World) -> None:
        super().__init__(world.channel)
        self.world = world

    @property
    def commits(self) -> list[Any]:
        return list(self.world.stores[CONTEXT].commits.commits)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with embedded(CONTEXT) as world:
        yield Bank(world)


async def test_an_account_is_opened_and_read(bank: Bank) -> None:
    opened = await bank.open("a", overdraft=500, rates=pb.Rates(credit=10, debit=900), **PERSON)
    assert (opened.account.status, opened.revision) == (pb.ACCOUNT_STATUS_OPEN, "account-a@1")
    read = await bank.ask("GetAccount", account_id="a")
    assert read == pb.GetAccountResponse(account=opened.account, revision=opened.revision, **PERSON)
    assert (read.account.available, read.account.rates.debit) == (eur(500), 900)


async def test_a_repeated_deposit_takes_effect_once_and_another_body_is_refused(bank: Bank) -> None:
    await bank.open("a")
    again = bank.ids.new()
    first = await bank.deposit("a", 700, request_id=again)
    await bank.withdraw("a", 100)
    assert await bank.deposit("a", 700, request_id=again) == first
    assert (await refusal(bank.deposit("a", 701, request_id=again))).code is INVALID
    assert await bank.balance("a") == (600, 600)


async def test_a_retried_reservation_is_one_hold(bank: Bank) -> None:
    await bank.open("a", 1000)
    again = bank.ids.new()
    first = await bank.reserve("a", 400, request_id=again)
    assert await bank.reserve("a", 400, request_id=again) == first
    assert first.hold_id == again
    assert await bank.balance("a") == (1000, 600)


async def test_a_repeated_capture_is_told_apart_from_a_second_one(bank: Bank) -> None:
    await bank.open("a", 1000)
    hold = (await bank.reserve("a", 400)).hold_id
    again = bank.ids.new()
    first = await bank.capture("a", hold, 300, request_id=again)
    assert await bank.capture("a", hold, 300, request_id=again) == first
    assert (await refusal(bank.capture("a", hold, 300))).reason == "HOLD_CAPTURED"
    assert await bank.balance("a") == (700, 700)


async def test_a_refused_movement_stays_refused_for_its_request_and_not_for_another(bank: Bank) -> None:
    await bank.open("a", 100)
    again = bank.ids.new()
    refused = await refusal(bank.withdraw("a", 500, request_id=again))
    assert (refused.code, refused.reason, refused.domain) == (REFUSED, "INSUFFICIENT_FUNDS", CONTEXT)
    await bank.deposit("a", 900)
    repeated = await refusal(bank.withdraw("a", 500, request_id=again))
    assert (repeated.reason, repeated.message) == (refused.reason, refused.message)
    await bank.withdraw("a", 500)
    assert await bank.balance("a") == (500, 500)


async def test_a_credit_to_an_account_that_is_opened_later_stays_refused(bank: Bank) -> None:
    again = bank.ids.new()
    assert (await refusal(bank.deposit("a", 5, request_id=again))).code is grpc.StatusCode.NOT_FOUND
    await bank.open("a")
    assert (await refusal(bank.deposit("a", 5, request_id=again))).code is grpc.StatusCode.NOT_FOUND
    assert await bank.balance("a") == (0, 0)


async def test_a_hold_expires_by_its_timer(bank: Bank) -> None:
    await bank.open("a", 1000)
    held = await bank.reserve("a", 400, seconds=0.05)
    assert await bank.balance("a") == (1000, 600) or await bank.balance("a") == (1000, 1000)
    await eventually(lambda: _is_gone(bank, held.hold_id))
    assert await bank.balance("a") == (1000, 1000)
    assert (await refusal(bank.capture("a", held.hold_id, 400))).reason == "HOLD_EXPIRED"


async def _is_gone(bank: Bank, hold_id: str) -> bool:
    found = await bank.ask("GetHold", account_id="a", hold_id=hold_id, not_before="account-a@3")
    return bool(found.hold.status == pb.HOLD_STATUS_EXPIRED)


async def test_a_released_hold_is_shown_so(bank: Bank) -> None:
    await bank.open("a", 1000)
    hold = (await bank.reserve("a", 400)).hold_id
    shown = (await bank.ask("Release", account_id="a", hold_id=hold)).revision
    found = (await bank.ask("GetHold", account_id="a", hold_id=hold, not_before=shown)).hold
    assert (found.status, found.amount, found.captured) == (pb.HOLD_STATUS_RELEASED, 400, 0)
    missing = bank.ask("GetHold", account_id="a", hold_id=bank.ids.new(), not_before=shown)
    assert (await refusal(missing)).code is grpc.StatusCode.NOT_FOUND


async def test_nothing_personal_is_ever_committed_and_postings_outlive_the_holder(bank: Bank) -> None:
    await bank.open("a", 1000, **PERSON)
    erased = await bank.ask("EraseHolder", account_id="a")
    assert erased.account.holder_erased
    read = await bank.ask("GetAccount", account_id="a")
    assert (read.name, read.email, read.account.balance) == ("", "", eur(1000))
    kept = repr(bank.commits)
    assert "account-a" in kept
    assert not [value for value in PERSON.values() if value in kept]


async def test_the_holder_of_an_account_that_was_refused_can_be_erased(bank: Bank) -> None:
    refused = await refusal(bank.open("a", currency="XAU", **PERSON))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (await refusal(bank.ask("EraseHolder", account_id="a"))).code is grpc.StatusCode.NOT_FOUND
    assert await bank.world.stores[CONTEXT].personal_data.erase("a") == 0


async def test_a_late_repeat_of_the_opening_does_not_bring_back_who_was_erased(bank: Bank) -> None:
    again = bank.ids.new()
    first = await bank.open("a", request_id=again, **PERSON)
    await bank.ask("EraseHolder", account_id="a")
    assert await bank.open("a", request_id=again, **PERSON) == first
    assert await bank.world.stores[CONTEXT].personal_data.erase("a") == 0


async def test_the_life_of_an_account_is_announced(bank: Bank) -> None:
    await bank.open("a")
    for method in ("FreezeAccount", "UnfreezeAccount"):
        await bank.ask(method, account_id="a", reason="a check", by="ann")
    await bank.ask("CloseAccount", account_id="a")
    types = await eventually(lambda: _four(bank))
    assert types == [f"{CONTEXT}.v1.Account{name}" for name in ("Opened", "Frozen", "Unfrozen", "Closed")]
    opened = events.AccountOpened.FromString(bank.world.broker.published[0].body)
    assert (opened.account_id, opened.kind, opened.currency) == ("a", CUSTOMER, "EUR")


def _four(bank: Bank) -> list[str]:
    types = [event.type for event in bank.world.broker.published]
    return types if len(types) == 4 else []


async def test_interest_is_settled_on_request(bank: Bank) -> None:
    await bank.open("a", 1000, rates=pb.Rates(credit=100))
    settled = await bank.ask("SettleInterest", account_id="a")
    assert settled.account.balance == eur(1000), "no day has ended yet"
    changed = await bank.ask("ChangeTerms", account_id="a", overdraft=50, by="ann")
    assert (changed.account.rates, changed.account.available) == (pb.Rates(), eur(1050))


async def test_accounts_are_listed_by_holder_and_by_kind(bank: Bank) -> None:
    await bank.open("a", 5, holder_id="ann")
    await bank.open("b", holder_id="bob")
    shown = (await bank.open("fees", kind=events.ACCOUNT_KIND_FEES, holder_id="")).revision
    [mine] = (await bank.ask("ListAccounts", holder_id="ann", not_before=shown)).accounts
    assert (mine.account_id, mine.balance) == ("a", eur(5))
    [own] = (await bank.ask("ListAccounts", kind=events.ACCOUNT_KIND_FEES)).accounts
    assert own.account_id == "fees"
    page = await bank.ask("ListAccounts", page_size=2)
    rest = await bank.ask("ListAccounts", page_size=2, page_token=page.next_page_token)
    assert [one.account_id for one in [*page.accounts, *rest.accounts]] == ["a", "b", "fees"]


UUID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("method", "fields", "wrong"),
    [
        ("OpenAccount", {"account_id": "A", "kind": CUSTOMER, "currency": "EUR"}, "account_id"),
        ("OpenAccount", {"account_id": "a@1", "kind": CUSTOMER, "currency": "EUR"}, "account_id"),
        ("OpenAccount", {"account_id": "a", "currency": "EUR"}, "kind"),
        ("OpenAccount", {"account_id": "a", "kind": CUSTOMER, "currency": "eur"}, "currency"),
        ("OpenAccount", {"account_id": "a", "kind": CUSTOMER, "currency": "XAU"}, "currency"),
        ("OpenAccount", {"account_id": "a", "kind": CUSTOMER, "currency": "ABC"}, "currency"),
        ("OpenAccount", {"account_id": "a", "kind": CUSTOMER, "currency": "EUR", "overdraft": -1}, "overdraft"),
        ("Credit", {"amount": eur(1), "purpose": pb.PURPOSE_FEE, "reference": "r"}, "purpose"),
        ("Credit", {"amount": eur(1), "purpose": pb.PURPOSE_DEPOSIT, "reference": "a b"}, "reference"),
        ("Credit", {"amount": eur(0), "purpose": pb.PURPOSE_DEPOSIT, "reference": "r"}, "amount.minor_units"),
        (
            "Credit",
            {"amount": Money(minor_units=1, currency="USD"), "purpose": pb.PURPOSE_DEPOSIT, "reference": "r"},
            "amount.currency",
        ),
        ("Debit", {"amount": eur(1), "purpose": pb.PURPOSE_DEPOSIT, "reference": "r"}, "purpose"),
        ("Debit", {"purpose": pb.PURPOSE_FEE, "reference": "r"}, "amount"),
        ("Reserve", {"amount": eur(1)}, "lasts"),
        ("Capture", {"amount": eur(1), "reference": "r", "hold_id": "h"}, "hold_id"),
        ("FreezeAccount", {"reason": "", "by": "ann"}, "reason"),
        ("FreezeAccount", {"reason": "why", "by": ""}, "by"),
        ("GetAccount", {"account_id": ""}, "account_id"),
        ("GetStatement", {"page_token": "nonsense"}, "page_token"),
        ("GetCorrection", {"posting_id": "a"}, "posting_id"),
        ("ListCorrections", {"status": 9}, "status"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(
    bank: Bank, method: str, fields: dict[str, Any], wrong: str
) -> None:
    await bank.open("open")
    if "account_id" in getattr(pb, f"{method}Request").DESCRIPTOR.fields_by_name:
        fields = {"account_id": "open", **fields}
    refused = await refusal(bank.ask(method, **fields))
    assert refused.code is INVALID
    assert list(refused.fields) == [wrong]
