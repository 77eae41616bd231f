"""Allocations, in their own words: what an order has come to and where its pieces are may change in any order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.commerce.inventory.domain.allocations import Allocation, Status
from services.commerce.inventory.domain.events import (
    AllocationCancelled,
    AllocationEvent,
    AllocationFulfilled,
    AllocationRequested,
    AllocationSecured,
    OrderAllocated,
    OrderCompleted,
    OrderConfirmed,
    OrderNotAllocated,
    OrderReleased,
    PiecesReturned,
)
from services.commerce.inventory.domain.values import AllocatedLine, Release
from services.commerce.inventory.storage import ALLOCATIONS

LINES = (AllocatedLine(sku="tea", warehouse="main", quantity=2), AllocatedLine(sku="cup", warehouse="main", quantity=1))
UNTIL = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
HELD_FOR = timedelta(minutes=15)
REQUESTED = AllocationRequested(lines=LINES)
REFUSED = OrderNotAllocated(sku="cup", reason="none left")
RELEASED = OrderReleased(lines=LINES)
HELD = [REQUESTED, OrderAllocated(expires_at=UNTIL, held=HELD_FOR)]
SECURED = [*HELD, OrderConfirmed(), AllocationSecured()]
FULFILLED = [*SECURED, OrderCompleted(), AllocationFulfilled()]


def request(allocation: Allocation) -> None:
    allocation.request(LINES)


def complete(allocation: Allocation) -> None:
    allocation.complete(UNTIL, HELD_FOR)


def refuse(allocation: Allocation) -> None:
    allocation.refuse("cup", "none left")


def test_an_allocation_is_requested_once() -> None:
    assert given(Allocation, "o").when(request).then([REQUESTED]).lines == LINES
    given(Allocation, "o", [REQUESTED]).when(request).then_nothing()


def test_an_allocation_of_a_cancelled_order_is_not_even_requested() -> None:
    given(Allocation, "o", [AllocationCancelled()]).when(request).then_nothing()


def test_an_allocation_ends_allocated_or_refused() -> None:
    held = given(Allocation, "o", [REQUESTED]).when(complete).then([OrderAllocated(expires_at=UNTIL, held=HELD_FOR)])
    assert (held.status, held.expires_at) == (Status.ALLOCATED, UNTIL)
    refused = given(Allocation, "o", [REQUESTED]).when(refuse).then([REFUSED])
    assert (refused.status, refused.lines) == (Status.REFUSED, ())


@pytest.mark.parametrize("past", [[], HELD, SECURED, [REQUESTED, REFUSED]])
def test_an_allocation_ends_once(past: list[AllocationEvent]) -> None:
    given(Allocation, "o", past).when(complete).then_raises(Rejected)
    given(Allocation, "o", past).when(refuse).then_raises(Rejected)


def test_the_pieces_of_a_confirmed_order_are_secured_and_expire_no_longer() -> None:
    secured = given(Allocation, "o", HELD).when(Allocation.confirm).then([OrderConfirmed(), AllocationSecured()])
    assert (secured.status, secured.expires_at, secured.outstanding) == (Status.SECURED, None, LINES)
    given(Allocation, "o", SECURED).when(Allocation.expire).then_nothing()


@pytest.mark.parametrize("past", [[], [REQUESTED]])
def test_a_confirmation_that_comes_first_is_remembered(past: list[AllocationEvent]) -> None:
    given(Allocation, "o", past).when(Allocation.confirm).then([OrderConfirmed()])
    given(Allocation, "o", [OrderConfirmed(), REQUESTED]).when(complete).then(
        [OrderAllocated(expires_at=UNTIL, held=HELD_FOR), AllocationSecured()]
    )


@pytest.mark.parametrize("past", [HELD, SECURED])
def test_the_pieces_of_a_completed_order_are_gone(past: list[AllocationEvent]) -> None:
    gone = given(Allocation, "o", past).when(Allocation.fulfil).then([OrderCompleted(), AllocationFulfilled()])
    assert (gone.status, gone.expires_at) == (Status.FULFILLED, None)


def test_a_completion_that_comes_first_is_remembered() -> None:
    given(Allocation, "o", [REQUESTED]).when(Allocation.fulfil).then([OrderCompleted()])
    given(Allocation, "o", [OrderCompleted(), REQUESTED]).when(complete).then(
        [OrderAllocated(expires_at=UNTIL, held=HELD_FOR), AllocationFulfilled()]
    )


@pytest.mark.parametrize("command", [Allocation.confirm, Allocation.fulfil, Allocation.cancel, Allocation.expire])
def test_a_fulfilled_allocation_is_over(command: Callable[[Allocation], None]) -> None:
    given(Allocation, "o", FULFILLED).when(command).then_nothing()


@pytest.mark.parametrize(
    ("command", "past"), [(Allocation.confirm, [OrderConfirmed()]), (Allocation.fulfil, [OrderCompleted()])]
)
def test_being_told_twice_is_no_error(command: Callable[[Allocation], None], past: list[AllocationEvent]) -> None:
    given(Allocation, "o", past).when(command).then_nothing()


def test_what_is_not_confirmed_in_time_expires_and_says_why_it_is_released() -> None:
    why = Release.EXPIRED
    expired = given(Allocation, "o", HELD).when(Allocation.expire).then([AllocationCancelled(reason=why)])
    assert (expired.status, expired.expires_at, expired.lines) == (Status.CANCELLED, None, LINES)
    past = [*HELD, AllocationCancelled(reason=why)]
    given(Allocation, "o", past).when(Allocation.release).then([OrderReleased(lines=LINES, reason=why)])


@pytest.mark.parametrize("past", [[], [REQUESTED], [REQUESTED, REFUSED], [*HELD, AllocationCancelled()]])
def test_only_what_is_held_expires(past: list[AllocationEvent]) -> None:
    given(Allocation, "o", past).when(Allocation.expire).then_nothing()


def test_a_confirmation_after_the_expiry_comes_too_late() -> None:
    past = [*HELD, AllocationCancelled(reason=Release.EXPIRED)]
    given(Allocation, "o", past).when(Allocation.confirm).then_nothing()


@pytest.mark.parametrize("past", [HELD, SECURED])
def test_cancelling_an_allocated_order_says_what_to_free(past: list[AllocationEvent]) -> None:
    cancelled = given(Allocation, "o", past).when(Allocation.cancel).then([AllocationCancelled()])
    assert (cancelled.status, cancelled.lines) == (Status.CANCELLED, LINES)


def test_cancelling_before_the_request_frees_nothing() -> None:
    assert given(Allocation, "o").when(Allocation.cancel).then([AllocationCancelled()]).lines == ()


@pytest.mark.parametrize(
    "past",
    [[REQUESTED, REFUSED], [AllocationCancelled()], [*HELD, AllocationCancelled(), RELEASED]],
)
def test_there_is_nothing_to_cancel_twice_or_after_a_refusal(past: list[AllocationEvent]) -> None:
    given(Allocation, "o", past).when(Allocation.cancel).then_nothing()


def test_an_allocation_in_the_making_is_finished_before_it_is_cancelled() -> None:
    with pytest.raises(RuntimeError, match="not finished"):
        given(Allocation, "o", [REQUESTED]).when(Allocation.cancel)


def test_a_cancelled_allocation_is_released_once() -> None:
    past = [*HELD, AllocationCancelled()]
    released = given(Allocation, "o", past).when(Allocation.release).then([RELEASED])
    assert (released.status, released.outstanding) == (Status.RELEASED, ())
    given(Allocation, "o", [*past, RELEASED]).when(Allocation.release).then_raises(Rejected)


def _told(*commands: Callable[[Allocation], None]) -> Allocation:
    """Tells an allocation in the making; what cannot be taken yet is repeated, as a message is."""
    allocation = Allocation(id="o")
    request(allocation)
    waiting = list(commands)
    while waiting:
        command = waiting.pop(0)
        try:
            command(allocation)
        except RuntimeError:
            waiting.append(command)
    return allocation


@pytest.mark.parametrize(
    "commands",
    list(permutations([complete, Allocation.confirm, Allocation.cancel, Allocation.expire, Allocation.expire])),
)
def test_a_cancelled_order_keeps_nothing_whatever_the_order_of_the_news(
    commands: tuple[Callable[[Allocation], None], ...],
) -> None:
    allocation = _told(*commands)
    assert allocation.status is Status.CANCELLED
    allocation.release()
    assert (allocation.status, allocation.outstanding, allocation.expires_at) == (Status.RELEASED, (), None)


@pytest.mark.parametrize("commands", list(permutations([complete, Allocation.confirm, Allocation.fulfil])))
def test_a_completed_order_gets_its_pieces_whatever_the_order_of_the_news(
    commands: tuple[Callable[[Allocation], None], ...],
) -> None:
    allocation = _told(*commands)
    assert (allocation.status, allocation.outstanding) == (Status.FULFILLED, LINES)


def test_delivered_pieces_come_back_to_where_they_came_from() -> None:
    back = (AllocatedLine(sku="tea", warehouse="main", quantity=1),)
    event = PiecesReturned(return_id="r", lines=back)
    taken = given(Allocation, "o", FULFILLED).when(lambda one: one.take_back("r", {"tea": 1})).then([event])
    assert taken.outstanding == (*back, LINES[1])
    assert taken.returned_as("r") is not None


def test_pieces_from_several_warehouses_come_back_to_each_of_them() -> None:
    lines = tuple(AllocatedLine(sku="tea", warehouse=name, quantity=2) for name in ("main", "north"))
    past = [AllocationRequested(lines=lines), OrderAllocated(), OrderCompleted(), AllocationFulfilled()]
    back = (lines[0], AllocatedLine(sku="tea", warehouse="north", quantity=1))
    taken = given(Allocation, "o", past).when(lambda one: one.take_back("r", {"tea": 3}))
    assert taken.then([PiecesReturned(return_id="r", lines=back)]).outstanding == (back[1],)


@pytest.mark.parametrize("past", [[], [REQUESTED], HELD, SECURED, [*HELD, AllocationCancelled(), RELEASED]])
def test_what_was_not_delivered_cannot_come_back(past: list[AllocationEvent]) -> None:
    refused = given(Allocation, "o", past).when(lambda one: one.take_back("r", {"tea": 1}))
    refused.then_raises(Rejected, "NOT_DELIVERED")


RETURNED = [*FULFILLED, PiecesReturned(return_id="r", lines=(LINES[0],))]


@pytest.mark.parametrize(("past", "pieces"), [(FULFILLED, {"tea": 3}), (FULFILLED, {"pot": 1}), (RETURNED, {"tea": 1})])
def test_no_more_comes_back_than_is_out(past: list[AllocationEvent], pieces: dict[str, int]) -> None:
    refused = given(Allocation, "o", past).when(lambda one: one.take_back("r-2", pieces))
    refused.then_raises(Rejected, "TOO_MANY_RETURNED")


def test_less_than_a_piece_cannot_come_back() -> None:
    refused = given(Allocation, "o", FULFILLED).when(lambda one: one.take_back("r", {"tea": 0}))
    assert refused.then_raises(Invalid).field == "pieces"


def test_a_return_comes_back_once_and_is_always_the_same() -> None:
    given(Allocation, "o", RETURNED).when(lambda one: one.take_back("r", {"tea": 2})).then_nothing()
    differs = given(Allocation, "o", RETURNED).when(lambda one: one.take_back("r", {"tea": 1}))
    assert differs.then_raises(Invalid).field == "return_id"


@pytest.mark.parametrize(
    ("name", "data", "event"),
    [
        ("order-allocated", {}, OrderAllocated(expires_at=None)),
        ("allocation-cancelled", {}, AllocationCancelled(reason=Release.ORDER_CANCELLED)),
        ("order-released", {"lines": []}, OrderReleased(lines=(), reason=Release.ORDER_CANCELLED)),
    ],
)
def test_what_was_stored_before_allocations_could_expire_is_still_read(
    name: str, data: dict[str, object], event: AllocationEvent
) -> None:
    assert ALLOCATIONS.events.decode({"type": name, "v": 1, "data": data}) == event
