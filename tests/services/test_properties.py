"""Whatever the commands, and in whatever order: events alone give the state, and stock and money add up."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Aggregate, DomainError
from treaty.testing.scenarios import assert_folds

from services.commerce.inventory.domain import AllocatedLine, Allocation, StockItem
from services.commerce.inventory.storage import ALLOCATIONS, STOCK
from services.commerce.money import Money
from services.commerce.payments.domain import Payment, PaymentAuthorised, PaymentCaptured, Status
from services.commerce.payments.storage import PAYMENTS

A = TypeVar("A", bound=Aggregate[Any])
NOW = datetime(2024, 5, 6, tzinfo=UTC)


def _carried_out(state: A, commands: Sequence[Callable[[A], object]]) -> tuple[A, list[Any]]:
    """Returns the state and the events after the commands; one that is refused changes nothing."""
    events: list[Any] = []
    for command in commands:
        work = state.fork()
        try:
            command(work)
        except (DomainError, RuntimeError):
            continue
        events += work.take_recorded()
        state = work
    return state, events


def _stock_command(kind: str, number: int) -> Callable[[StockItem], object]:
    commands: dict[str, Callable[[StockItem], object]] = {
        "register": lambda item: item.register(warehouse="main", sku="tea", description="Tea"),
        "receive": lambda item: item.receive(number),
        "adjust": lambda item: item.adjust(number, "counted"),
        "reserve": lambda item: item.reserve("o", number),
        "free": lambda item: item.free("o", min(abs(number), item.reserved)),
    }
    return commands[kind]


_stock_commands = st.builds(
    _stock_command, st.sampled_from(["register", "receive", "adjust", "reserve", "free"]), st.integers(-9, 9)
)


@given(st.lists(_stock_commands, max_size=20))
def test_the_events_of_a_stock_item_give_its_state(commands: list[Callable[[StockItem], object]]) -> None:
    state, events = _carried_out(StockItem(id="main/tea"), commands)
    assert_folds(STOCK, state, events)


@given(st.lists(_stock_commands, max_size=30))
def test_never_more_is_reserved_than_is_on_hand(commands: list[Callable[[StockItem], object]]) -> None:
    for length in range(len(commands) + 1):
        state, _ = _carried_out(StockItem(id="main/tea"), commands[:length])
        assert 0 <= state.reserved <= state.on_hand
        assert state.available >= 0


_lines = [AllocatedLine(sku="tea", warehouse="main", quantity=2)]
_allocation_commands = st.sampled_from(
    [
        lambda allocation: allocation.request(_lines),
        Allocation.complete,
        lambda allocation: allocation.refuse("tea", "none left"),
        Allocation.cancel,
        Allocation.release,
    ]
)


@given(st.lists(_allocation_commands, max_size=10))
def test_the_events_of_an_allocation_give_its_state(commands: list[Callable[[Allocation], object]]) -> None:
    state, events = _carried_out(Allocation(id="o"), commands)
    assert_folds(ALLOCATIONS, state, events)


_payment_commands = st.sampled_from(
    [
        lambda payment: payment.request(Money(500, "GBP")),
        Payment.authorised,
        lambda payment: payment.fail("declined", reversal=False),
        Payment.confirm,
        Payment.cancel,
        Payment.captured,
        Payment.voided,
        Payment.refunded,
    ]
)


@given(st.lists(_payment_commands, max_size=16))
def test_the_events_of_a_payment_give_its_state(commands: list[Callable[[Payment], object]]) -> None:
    state, events = _carried_out(Payment(id="o"), commands)
    assert_folds(PAYMENTS, state, events)


@given(st.lists(_payment_commands, max_size=16))
def test_money_is_taken_only_for_confirmed_orders_and_given_back_for_cancelled_ones(
    commands: list[Callable[[Payment], object]],
) -> None:
    gateway_answers = [Payment.captured, Payment.voided, Payment.refunded] * 3
    state, events = _carried_out(Payment(id="o"), [*commands, *gateway_answers])
    kinds = [type(event) for event in events]
    if PaymentCaptured in kinds:
        assert state.confirmed
        assert kinds.index(PaymentAuthorised) < kinds.index(PaymentCaptured)
    if state.cancelled:
        ended = {Status.NEW, Status.REQUESTED, Status.FAILED, Status.VOIDED, Status.REFUNDED}
        assert state.status in ended
    elif state.confirmed:
        assert state.status in {Status.NEW, Status.REQUESTED, Status.FAILED, Status.CAPTURED}
