"""The domain for `scripts/up`: its sample data, and the traffic of a bank. The names are those of commerce.samples."""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as transfers

T = TypeVar("T")

_CUSTOMERS = {"ada": "Ada", "grace": "Grace", "edsger": "Edsger", "barbara": "Barbara"}
_MERCHANT = "bookshop"
_KEPT = 500
"""The most transfers that the traffic remembers, to cancel or to refund them."""


class Dice(Protocol):
    """The chance of the traffic, such as `random.Random`."""

    def choice(self, of: Sequence[T], /) -> T: ...

    def randint(self, least: int, most: int, /) -> int: ...

    def getrandbits(self, bits: int, /) -> int: ...


Steps = Generator[Any, Any, None]
"""Yields requests, and gets the reply of each."""

Deed = Callable[[Dice, list[str]], Steps]
"""(chance, the ids of the transfers so far) → the steps."""


def opening() -> Iterator[Any]:
    """Yields the requests that open the accounts, fill them, and make a few transfers."""
    yield accounts.OpenAccountRequest(account_id="suspense-eur", kind=kinds.ACCOUNT_KIND_SUSPENSE, currency="EUR")
    for id, name in {**_CUSTOMERS, _MERCHANT: "The bookshop"}.items():
        yield accounts.OpenAccountRequest(
            account_id=id,
            kind=kinds.ACCOUNT_KIND_CUSTOMER,
            currency="EUR",
            holder_id=f"of-{id}",
            name=name,
            email=f"{id}@example.com",
            overdraft=50_000,
            rates=accounts.Rates(credit=50, debit=900),
        )
        yield accounts.CreditRequest(
            account_id=id, amount=_euros(2_500), purpose=accounts.PURPOSE_DEPOSIT, reference="opening"
        )
    yield _transfer(_id("rent"), "ada", "grace", 650)
    yield _transfer(_id("book"), "edsger", _MERCHANT, 18)
    yield _transfer(_id("too much"), "barbara", "ada", 9_000)
    yield transfers.PlaceOrderRequest(
        order_id=_id("allowance of grace"),
        terms=_terms("grace", "barbara", 40),
        schedule=transfers.Schedule(
            start="2026-01-31",
            at="06:00",
            zone="Europe/Berlin",
            every=transfers.EVERY_MONTH,
            adjust=transfers.ADJUST_FOLLOWING,
            missed=transfers.MISSED_ONCE,
        ),
    )


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def _euros(units: int) -> Money:
    return Money(minor_units=units * 100, currency="EUR")


def _terms(payer: str, payee: str, units: int) -> transfers.Terms:
    return transfers.Terms(
        payer=payer, payee=payee, amount=_euros(units), customer_id=f"of-{payer}", initiated_by=f"of-{payer}"
    )


def _transfer(id: str, payer: str, payee: str, units: int) -> transfers.InitiateTransferRequest:
    return transfers.InitiateTransferRequest(transfer_id=id, terms=_terms(payer, payee, units))


EXAMPLE = _transfer(_id("the example"), "ada", "grace", 12)


def _pay(dice: Dice, made: list[str]) -> Steps:
    """Pays somebody a small amount."""
    yield from _make(dice, made, dice.randint(1, 60))


def _pay_too_much(dice: Dice, made: list[str]) -> Steps:
    """Asks for more than there is, so that the reservation is refused."""
    yield from _make(dice, made, 9_500)


def _make(dice: Dice, made: list[str], units: int) -> Steps:
    id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    yield _transfer(id, dice.choice(list(_CUSTOMERS)), _MERCHANT, units)
    made.append(id)
    del made[:-_KEPT]


def _earn(dice: Dice, made: list[str]) -> Steps:
    """Pays a salary in, so that the money does not run out."""
    yield accounts.CreditRequest(
        account_id=dice.choice(list(_CUSTOMERS)),
        amount=_euros(dice.randint(50, 200)),
        purpose=accounts.PURPOSE_DEPOSIT,
        reference="salary",
    )


def _refund(dice: Dice, made: list[str]) -> Steps:
    if made:
        yield transfers.RefundTransferRequest(transfer_id=made.pop(0), by="the-clerk", reason="sent back")


def _cancel(dice: Dice, made: list[str]) -> Steps:
    if made:
        yield transfers.CancelTransferRequest(transfer_id=made.pop(), by="the-clerk", reason="a mistake")


def _review(dice: Dice, made: list[str]) -> Steps:
    """Decides the oldest open case."""
    reply = yield fraud.ListCasesRequest(status=fraud.CASE_STATUS_OPEN, page_size=1)
    for case in reply.cases:
        yield fraud.DecideCaseRequest(transfer_id=case.transfer_id, fraud=bool(dice.randint(0, 1)), by="the-fraud-desk")


def _look(dice: Dice, made: list[str]) -> Steps:
    yield accounts.GetStatementRequest(account_id=dice.choice(list(_CUSTOMERS)), page_size=10)
    yield accounts.GetTrialBalanceRequest()


DEEDS: Mapping[str, tuple[int, Deed]] = {
    "pay": (60, _pay),
    "earn": (15, _earn),
    "statement": (10, _look),
    "refund-payment": (5, _refund),
    "cancel-payment": (4, _cancel),
    "review": (4, _review),
    "pay-too-much": (2, _pay_too_much),
}
