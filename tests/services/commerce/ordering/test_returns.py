"""Returns: what may come back, and the process that takes it back."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from treaty.domain import Call, Invalid, NotFound, Rejected
from treaty.testing.scenarios import given, given_facts

from services.commerce.ordering.domain.events import (
    OrderCompleted,
    OrderRefunded,
    ReturnClosed,
    ReturnCompleted,
    ReturnReceived,
    ReturnRequested,
)
from services.commerce.ordering.domain.order import Order
from services.commerce.ordering.domain.returns import RETURN_WITHIN, Refund, ReturnStatus
from services.commerce.ordering.projections import daily_sales, sales_day
from services.commerce.ordering.sagas.returns import (
    CloseReturn,
    FinishReturn,
    GoodsArrived,
    GoodsOverdue,
    GoodsRestocked,
    MoneyRefunded,
    RefundReturn,
    Restock,
    ReturnAbandoned,
    ReturnedPieces,
    ReturnFact,
    Returning,
    ReturnOpened,
    ReturnResumed,
    Step,
    StepRefused,
    returning,
)
from tests.services.commerce.ordering.orders import NOW, delivered, gbp, line

LINES = (line("tea", 2, 150), line("cup", 1, 499))


def wanted(return_id: str, pieces: dict[str, int]):  # type: ignore[no-untyped-def]
    return lambda order: order.request_return(return_id, pieces, "too blue", NOW)


def requested(return_id: str, *lines: object, refund: int) -> ReturnRequested:
    return ReturnRequested(
        return_id=return_id,
        lines=lines,  # type: ignore[arg-type]
        refund=gbp(refund),
        reason="too blue",
        arrive_by=NOW + RETURN_WITHIN,
    )


def test_delivered_goods_may_come_back_and_their_price_is_given_back() -> None:
    order = given(Order, "o", delivered(*LINES)).when(wanted("r", {"tea": 1}))
    order.then([requested("r", line("tea", 1, 150), refund=150)])


def test_without_names_everything_comes_back() -> None:
    given(Order, "o", delivered(*LINES)).when(wanted("r", {})).then([requested("r", *LINES, refund=799)])


def test_nothing_comes_back_twice() -> None:
    past = [*delivered(*LINES), requested("r", line("tea", 2, 150), refund=300)]
    given(Order, "o", past).when(wanted("s", {"tea": 1})).then_raises(Rejected, "NOTHING_TO_RETURN")
    given(Order, "o", past).when(wanted("s", {})).then([requested("s", line("cup", 1, 499), refund=499)])


def test_what_did_not_come_back_after_all_may_be_sent_again() -> None:
    past = [*delivered(*LINES), requested("r", *LINES, refund=799), ReturnClosed(return_id="r", reason="late")]
    given(Order, "o", past).when(wanted("s", {"tea": 2})).then([requested("s", line("tea", 2, 150), refund=300)])


def test_what_is_not_in_the_order_cannot_come_back() -> None:
    given(Order, "o", delivered(*LINES)).when(wanted("r", {"pot": 1})).then_raises(Invalid)
    given(Order, "o", delivered(*LINES)).when(wanted("r", {"tea": 3})).then_raises(Rejected, "NOTHING_TO_RETURN")


def test_goods_come_back_within_thirty_days() -> None:
    late = NOW + RETURN_WITHIN + timedelta(seconds=1)
    given(Order, "o", delivered(*LINES)).when(lambda order: order.request_return("r", {}, "", late)).then_raises(
        Rejected, "RETURN_TOO_LATE"
    )


def test_only_what_was_delivered_comes_back() -> None:
    given(Order, "o", delivered(*LINES)[:2]).when(wanted("r", {})).then_raises(Rejected, "ORDER_CONFIRMED")


def test_a_return_is_received_and_completed_once() -> None:
    past = [*delivered(*LINES), requested("r", *LINES, refund=799)]
    given(Order, "o", past).when(lambda o: o.receive_return("r")).then([ReturnReceived(return_id="r")])
    past.append(ReturnReceived(return_id="r"))
    given(Order, "o", past).when(lambda o: o.receive_return("r")).then_nothing()
    done = ReturnCompleted(return_id="r", refund=gbp(799), completed_at=NOW)
    order = given(Order, "o", past).when(lambda o: o.complete_return("r", NOW)).then([done])
    assert order.returns[0].status is ReturnStatus.COMPLETED
    given(Order, "o", [*past, done]).when(lambda o: o.complete_return("r", NOW)).then_nothing()
    given(Order, "o", [*past, done]).when(lambda o: o.close_return("r", "x")).then_nothing()


def test_a_closed_return_takes_no_goods() -> None:
    past = [*delivered(*LINES), requested("r", *LINES, refund=799), ReturnClosed(return_id="r", reason="late")]
    given(Order, "o", past).when(lambda o: o.receive_return("r")).then_raises(Rejected, "RETURN_CLOSED")
    given(Order, "o", past).when(lambda o: o.receive_return("unknown")).then_raises(NotFound)


PIECES = (ReturnedPieces(sku="tea", quantity=1),)


def test_a_refund_of_no_return_is_noted_on_the_order_once() -> None:
    goodwill = OrderRefunded(refund_id="g", amount=gbp(100), refunded_at=NOW)
    past = [*delivered(*LINES), requested("r", *LINES, refund=799)]
    order = given(Order, "o", past).when(lambda order: order.refunded("g", gbp(100), NOW)).then([goodwill])
    assert order.refunds == (Refund(refund_id="g", amount=gbp(100)),)
    given(Order, "o", [*past, goodwill]).when(lambda order: order.refunded("g", gbp(100), NOW)).then_nothing()
    given(Order, "o", past).when(lambda order: order.refunded("r", gbp(799), NOW)).then_nothing()
    given(Order, "o").when(lambda order: order.refunded("g", gbp(100), NOW)).then_nothing()
    row = daily_sales("2024-05-06/GBP", None, goodwill)
    assert (sales_day("o", goodwill), row and row.refunds) == ("2024-05-06/GBP", 100)


def test_a_return_does_not_take_the_id_of_a_refund_that_was_made_before() -> None:
    goodwill = OrderRefunded(refund_id="r", amount=gbp(100), refunded_at=NOW)
    given(Order, "o", [*delivered(*LINES), goodwill]).when(wanted("r", {})).then_raises(Rejected, "REFUND_EXISTS")


def test_a_refund_of_a_closed_return_is_noted_and_its_pieces_are_not_returned_again() -> None:
    opened, closed = requested("r", line("tea", 2, 150), refund=300), ReturnClosed(return_id="r", reason="abandoned")
    past = [*delivered(*LINES), opened, closed]
    noted = OrderRefunded(refund_id="r", amount=gbp(300), refunded_at=NOW)
    order = given(Order, "o", past).when(lambda order: order.refunded("r", gbp(300), NOW)).then([noted])
    assert order.returns[0].status is ReturnStatus.CLOSED
    given(Order, "o", past).when(lambda order: order.complete_return("r", NOW)).then([noted])
    for again in (lambda order: order.refunded("r", gbp(300), NOW), lambda order: order.complete_return("r", NOW)):
        given(Order, "o", [*past, noted]).when(again).then_nothing()
    given(Order, "o", [*past, noted]).when(wanted("s", {"tea": 1})).then_raises(Rejected, "NOTHING_TO_RETURN")
    given(Order, "o", [*past, noted]).when(wanted("s", {})).then([requested("s", line("cup", 1, 499), refund=499)])
    given(Order, "o", [*past, noted]).when(lambda o: o.receive_return("r")).then_raises(Rejected, "RETURN_CLOSED")


def test_a_late_refund_of_a_closed_return_leaves_the_next_return_as_it_is() -> None:
    opened, closed = requested("r", line("tea", 2, 150), refund=300), ReturnClosed(return_id="r", reason="abandoned")
    again = requested("s", line("tea", 1, 150), refund=150)
    past = [*delivered(*LINES), opened, closed, again, OrderRefunded(refund_id="r", amount=gbp(300), refunded_at=NOW)]
    given(Order, "o", past).when(wanted("t", {})).then([requested("t", line("cup", 1, 499), refund=499)])


def test_goodwill_under_the_id_of_a_closed_return_leaves_its_pieces_with_the_customer() -> None:
    opened, closed = requested("r", *LINES, refund=799), ReturnClosed(return_id="r", reason="late")
    past = [*delivered(*LINES), opened, closed]
    goodwill = OrderRefunded(refund_id="r", amount=gbp(5), refunded_at=NOW)
    given(Order, "o", past).when(lambda order: order.refunded("r", gbp(5), NOW)).then([goodwill])
    given(Order, "o", [*past, goodwill]).when(wanted("s", {})).then([requested("s", *LINES, refund=799)])


def test_what_is_given_back_before_the_delivery_counts_with_the_sale_and_without_one_not_at_all() -> None:
    past = delivered(*LINES)
    [*before, completed] = past
    goodwill = OrderRefunded(refund_id="g", amount=gbp(100), refunded_at=NOW, delivered=False)
    given(Order, "o", before).when(lambda order: order.refunded("g", gbp(100), NOW)).then([goodwill])
    assert sales_day("o", goodwill) is None
    assert isinstance(completed, OrderCompleted)
    sold = replace(completed, refunded=100)
    given(Order, "o", [*before, goodwill]).when(lambda order: order.delivered(completed.completed_at)).then([sold])
    row = daily_sales("2024-05-06/GBP", None, sold)
    assert row is not None
    assert (row.sales, row.refunds) == (completed.total.minor_units, 100)


OPENED = ReturnOpened(return_id="r", order_id="o", pieces=PIECES, refund=gbp(150), arrive_by=NOW)
ARRIVED, OVERDUE = GoodsArrived(return_id="r"), GoodsOverdue(return_id="r")
RESTOCKED, REFUNDED = GoodsRestocked(return_id="r"), MoneyRefunded(return_id="r")
REFUSED = StepRefused(return_id="r", reason="no such order")
TIMER = Call(OVERDUE, after=RETURN_WITHIN)
RESTOCK = Restock(return_id="r", order_id="o", pieces=PIECES)
REFUND = RefundReturn(return_id="r", order_id="o", amount=gbp(150))
FINISH = FinishReturn(return_id="r", order_id="o")


def test_an_opened_return_waits_for_its_goods_until_its_deadline() -> None:
    given_facts(returning, Returning()).when(OPENED).then([TIMER])


def test_goods_are_restocked_then_refunded_then_the_return_is_finished() -> None:
    given_facts(returning, Returning(), [OPENED]).when(ARRIVED).then([RESTOCK])
    given_facts(returning, Returning(), [OPENED, ARRIVED]).when(RESTOCKED).then([REFUND])
    state = given_facts(returning, Returning(), [OPENED, ARRIVED, RESTOCKED]).when(REFUNDED).then([FINISH])
    assert state.ended


def test_money_that_was_refunded_before_the_goods_were_in_stock_is_not_asked_for_again() -> None:
    given_facts(returning, Returning(), [OPENED, ARRIVED, REFUNDED]).when(RESTOCKED).then([FINISH])


@pytest.mark.parametrize(
    ("past", "end"),
    [
        ([OPENED, REFUNDED], OVERDUE),
        ([OPENED, ARRIVED, REFUNDED, REFUSED], ReturnAbandoned(return_id="r", reason="paid by hand")),
    ],
)
def test_a_return_that_is_closed_after_its_money_was_refunded_has_its_order_note_that(
    past: list[ReturnFact], end: ReturnFact
) -> None:
    state = Returning()
    for fact in past:
        state, _ = returning(state, fact)
    _, commands = returning(state, end)
    assert [type(command) for command in commands] == [CloseReturn, FinishReturn]
    given_facts(returning, Returning(), [*past, end]).when(REFUNDED).then_nothing()


def test_money_that_is_refunded_after_its_return_was_closed_is_noted_once() -> None:
    closed = [OPENED, ARRIVED, RESTOCKED, ReturnAbandoned(return_id="r", reason="x")]
    given_facts(returning, Returning(), closed).when(REFUNDED).then([FINISH])
    given_facts(returning, Returning(), [*closed, REFUNDED]).when(REFUNDED).then_nothing()
    given_facts(returning, Returning(), [OPENED, ARRIVED, RESTOCKED, REFUNDED]).when(REFUNDED).then_nothing()


def test_a_run_that_was_refunded_and_waits_all_the_same_is_finished_when_it_is_resumed() -> None:
    waiting = Returning(order_id="o", refund=gbp(150), step=Step.REFUNDING, arrived=True, refunded=True)
    resumed = ReturnResumed(return_id="r", reason="it stands")
    given_facts(returning, waiting).when(resumed).then([FINISH])


def test_goods_that_do_not_come_close_the_return() -> None:
    reason = "the goods did not come back in time"
    close = CloseReturn(return_id="r", order_id="o", reason=reason)
    assert given_facts(returning, Returning(), [OPENED]).when(OVERDUE).then([close]).ended
    given_facts(returning, Returning(), [OPENED, ARRIVED]).when(OVERDUE).then_nothing()


@pytest.mark.parametrize(("past", "again"), [([OPENED, ARRIVED], RESTOCK), ([OPENED, ARRIVED, RESTOCKED], REFUND)])
def test_a_refused_step_leaves_the_return_stuck_until_a_person_decides(past: list[ReturnFact], again: object) -> None:
    stuck = given_facts(returning, Returning(), past).when(REFUSED).then_nothing()
    assert (stuck.stuck, stuck.ended) == ("no such order", False)
    resumed = ReturnResumed(return_id="r", reason="mended")
    assert not given_facts(returning, Returning(), [*past, REFUSED]).when(resumed).then([again]).stuck
    abandoned = ReturnAbandoned(return_id="r", reason="hopeless")
    close = CloseReturn(return_id="r", order_id="o", reason="hopeless")
    assert given_facts(returning, Returning(), [*past, REFUSED]).when(abandoned).then([close]).ended


def test_resuming_what_is_not_stuck_does_nothing() -> None:
    given_facts(returning, Returning(), [OPENED]).when(ReturnResumed(return_id="r", reason="x")).then_nothing()


@pytest.mark.parametrize("facts", list(itertools.permutations([OPENED, ARRIVED, RESTOCKED, REFUNDED])))
def test_any_order_of_arrival_asks_for_each_step_at_most_once(facts: list[ReturnFact]) -> None:
    state, asked = Returning(), []
    for fact in [*facts, *facts]:
        state, commands = returning(state, fact)
        asked += [command for command in commands if not isinstance(command, Call)]
    assert len(asked) == len(set(asked))
    assert asked[:1] == [RESTOCK]
    assert (FINISH in asked) == state.ended


_facts = st.sampled_from([OPENED, ARRIVED, RESTOCKED, REFUNDED, OVERDUE, REFUSED])


@forall(st.lists(_facts, max_size=12))
def test_money_is_given_back_only_for_goods_in_stock(facts: list[ReturnFact]) -> None:
    state, restocked = Returning(), False
    for fact in facts:
        state, commands = returning(state, fact)
        restocked = restocked or fact == RESTOCKED
        assert restocked or REFUND not in commands


@forall(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 999)), min_size=1, max_size=5), st.data())
def test_returns_never_give_back_more_than_was_paid(lines: list[tuple[int, int]], data: st.DataObject) -> None:
    bought = [line(f"sku{n}", quantity, price) for n, (quantity, price) in enumerate(lines)]
    order = given(Order, "o", delivered(*bought)).state
    back = 0
    for n in range(6):
        pieces = data.draw(st.dictionaries(st.sampled_from([one.sku for one in bought]), st.integers(1, 3), min_size=1))
        work = order.fork()
        try:
            work.request_return(f"r{n}", pieces, "", NOW)
        except Rejected:
            continue
        back += work.returns[-1].refund.minor_units
        order = work
    assert order.totals is not None
    assert back <= order.totals.total.minor_units
