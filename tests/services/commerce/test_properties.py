"""Whatever the commands, and in whatever order: events alone give the state, and stock and money add up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Aggregate
from treaty.testing.scenarios import assert_folds, carried_out

from services.commerce.inventory.domain.allocations import Allocation, Status
from services.commerce.inventory.domain.batches import pieces
from services.commerce.inventory.domain.events import PiecesReturned
from services.commerce.inventory.domain.stock import StockItem
from services.commerce.inventory.domain.values import AllocatedLine
from services.commerce.inventory.storage import ALLOCATIONS, STOCK
from services.commerce.money import Money
from services.commerce.payments.domain import payment as paying
from services.commerce.payments.domain.events import PaymentAuthorised, PaymentCaptured, PaymentRefunded
from services.commerce.payments.domain.method import PaymentMethod
from services.commerce.payments.domain.payment import CANCELLATION, Payment
from services.commerce.payments.storage import METHODS, PAYMENTS

A = TypeVar("A", bound=Aggregate[Any])
NOW = datetime(2024, 5, 6, tzinfo=UTC)


def _stock_command(kind: str, number: int) -> Callable[[StockItem], object]:
    day = f"2024-05-{abs(number) + 1:02d}"
    commands: dict[str, Callable[[StockItem], object]] = {
        "list": lambda item: item.list_product(warehouse="main", sku="tea", name="Tea"),
        "register": lambda item: item.register(warehouse="main", sku="tea", description="Tea"),
        "discontinue": lambda item: item.discontinue(warehouse="main", sku="tea"),
        "manage": lambda item: item.manage(bar_code="", reorder_point=number, reorder_quantity=9),
        "receive": lambda item: item.receive(number),
        "receive dated": lambda item: item.receive(number, expires_on=day, unit_cost=Money(number, "GBP")),
        "adjust": lambda item: item.adjust(number, "counted"),
        "reserve": lambda item: item.reserve("o", number, "2024-05-05"),
        "free": lambda item: item.free("o", min(abs(number), item.reserved)),
        "ship": lambda item: item.ship("o", min(abs(number), item.reserved)),
        "take back": lambda item: item.take_back("o", "r", abs(number)),
        "expire": lambda item: item.expire(day),
        "write off": lambda item: item.write_off(day),
    }
    return commands[kind]


_KINDS = [
    "list",
    "register",
    "discontinue",
    "manage",
    "receive",
    "receive_dated",
    "adjust",
    "reserve",
    "free",
    "ship",
    "take_back",
    "expire",
    "write_off",
]
_stock_commands = st.builds(
    _stock_command, st.sampled_from([kind.replace("_", " ") for kind in _KINDS]), st.integers(-9, 9)
)


@given(st.lists(_stock_commands, max_size=20))
def test_the_events_of_a_stock_item_give_its_state(commands: list[Callable[[StockItem], object]]) -> None:
    state, events = carried_out(StockItem(id="main/tea"), commands)
    assert_folds(STOCK, state, events)


@given(st.lists(_stock_commands, max_size=30))
def test_never_more_is_reserved_or_dated_than_is_on_hand(commands: list[Callable[[StockItem], object]]) -> None:
    state = StockItem(id="main/tea")
    for command in commands:
        state, _ = carried_out(state, [command])
        assert 0 <= state.reserved <= state.on_hand
        assert state.available >= 0
        assert 0 <= pieces(state.batches) <= state.on_hand
        assert pieces([batch for hold in state.holds for batch in hold.batches]) <= state.reserved
        assert all(batch.quantity > 0 for batch in state.batches)
        assert [batch.expires_on for batch in state.batches] == sorted({batch.expires_on for batch in state.batches})
        assert not state.reordered or state.runs_low


_lines = [AllocatedLine(sku="tea", warehouse=name, quantity=2) for name in ("main", "north")]


def _take_back(number: int) -> Callable[[Allocation], object]:
    return lambda allocation: allocation.take_back(f"r-{number}", {"tea": number})


_allocation_commands = st.one_of(
    st.sampled_from(
        [
            lambda allocation: allocation.request(_lines),
            lambda allocation: allocation.complete(NOW, timedelta(minutes=15)),
            lambda allocation: allocation.refuse("tea", "none left"),
            Allocation.confirm,
            Allocation.fulfil,
            Allocation.cancel,
            Allocation.expire,
            Allocation.release,
        ]
    ),
    st.builds(_take_back, st.integers(0, 5)),
)


@given(st.lists(_allocation_commands, max_size=14))
def test_the_events_of_an_allocation_give_its_state(commands: list[Callable[[Allocation], object]]) -> None:
    state, events = carried_out(Allocation(id="o"), commands)
    assert_folds(ALLOCATIONS, state, events)


@given(st.lists(_allocation_commands, max_size=20))
def test_never_more_comes_back_than_went_out(commands: list[Callable[[Allocation], object]]) -> None:
    delivered = [lambda a: a.request(_lines), lambda a: a.complete(NOW, timedelta(minutes=15)), Allocation.fulfil]
    state, events = carried_out(Allocation(id="o"), [*delivered, *commands])
    back = [line.quantity for event in events if isinstance(event, PiecesReturned) for line in event.lines]
    assert state.status is Status.FULFILLED
    assert sum(back) + sum(line.quantity for line in state.outstanding) == 4


def _refund(number: int, amount: int) -> Callable[[Payment], object]:
    return lambda payment: payment.refund(f"r-{number}", Money(amount, "GBP"))


def _refunded(number: int) -> Callable[[Payment], object]:
    return lambda payment: payment.refunded(f"r-{number}" if number else CANCELLATION)


_refund_commands = st.one_of(
    st.builds(_refund, st.integers(1, 4), st.integers(-10, 510)), st.builds(_refunded, st.integers(0, 4))
)
_payment_commands = st.one_of(
    st.sampled_from(
        [
            lambda payment: payment.request(Money(500, "GBP")),
            Payment.await_verdict,
            Payment.authorised,
            lambda payment: payment.fail("declined", reversal=False),
            Payment.confirm,
            Payment.cancel,
            Payment.captured,
            Payment.voided,
            lambda payment: payment.capture_refused("no"),
            lambda payment: payment.void_refused("no"),
        ]
    ),
    _refund_commands,
)
_CAPTURE = [lambda p: p.request(Money(500, "GBP")), Payment.authorised, Payment.confirm, Payment.captured]
_REFUNDED = [_refunded(number) for number in range(5)]


@given(st.lists(_payment_commands, max_size=16))
def test_the_events_of_a_payment_give_its_state(commands: list[Callable[[Payment], object]]) -> None:
    state, events = carried_out(Payment(id="o"), commands)
    assert_folds(PAYMENTS, state, events)


@given(st.lists(_refund_commands, max_size=16))
def test_the_events_of_refunds_give_the_state(commands: list[Callable[[Payment], object]]) -> None:
    state, events = carried_out(Payment(id="o"), [*_CAPTURE, *commands])
    assert_folds(PAYMENTS, state, events)


@given(st.lists(_payment_commands, max_size=16))
def test_money_is_taken_only_for_confirmed_orders_and_given_back_for_cancelled_ones(
    commands: list[Callable[[Payment], object]],
) -> None:
    gateway_answers = [*[Payment.captured, Payment.voided] * 3, *_REFUNDED]
    state, events = carried_out(Payment(id="o"), [*commands, *gateway_answers])
    kinds = [type(event) for event in events]
    ended = {paying.Status.NEW, paying.Status.REQUESTED, paying.Status.FAILED}
    if PaymentCaptured in kinds:
        assert state.confirmed
        assert kinds.index(PaymentAuthorised) < kinds.index(PaymentCaptured)
    if state.cancelled:
        assert state.status in ended | {paying.Status.VOIDED, paying.Status.VOID_REFUSED, paying.Status.REFUNDED}
    elif state.confirmed:
        assert state.status in ended | {paying.Status.CAPTURED, paying.Status.REFUNDED}


@given(st.lists(st.one_of(_refund_commands, st.just(Payment.cancel)), max_size=20))
def test_no_more_money_is_given_back_than_was_taken(commands: list[Callable[[Payment], object]]) -> None:
    state, given_back = Payment(id="o"), 0
    for command in [*_CAPTURE, *commands]:
        state, events = carried_out(state, [command])
        done = [event for event in events if isinstance(event, PaymentRefunded)]
        given_back += sum(event.amount.minor_units for event in done if event.amount)
        asked = sum(one.amount.minor_units for one in state.refunds)
        assert 0 <= given_back <= asked <= 500
        assert state.left is None or state.left.minor_units == 500 - asked
        assert (state.status is paying.Status.REFUNDED) == (given_back == 500)
    if state.cancelled:
        state, _ = carried_out(state, _REFUNDED)
        assert state.given_back == Money(500, "GBP")


def _register(number: int) -> Callable[[PaymentMethod], object]:
    expires_at = NOW + timedelta(days=number) if number else None
    return lambda method: method.register(token=f"tok_{number % 2}", label="card", expires_at=expires_at)


@given(st.lists(st.builds(_register, st.integers(0, 3)), max_size=6))
def test_the_events_of_a_payment_method_give_its_state(commands: list[Callable[[PaymentMethod], object]]) -> None:
    state, events = carried_out(PaymentMethod(id="ann"), commands)
    assert_folds(METHODS, state, events)
