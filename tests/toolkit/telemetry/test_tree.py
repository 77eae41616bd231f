"""The tree of a trace: every span once, below what it follows from, pinned as text."""

from dataclasses import replace

from treaty.telemetry.spans import FinishedSpan
from treaty.telemetry.tree import lines, parents_of, place

MILLISECOND = 1_000_000
BEGIN = 1_700_000_000_000 * MILLISECOND
ORDER_PLACED = {
    "messaging.message.id": "order-1@1#1",
    "messaging.rabbitmq.destination.routing_key": "commerce.ordering.v1.OrderPlaced",
}


def _span(id: str, name: str, at: float, took: float, *, parent: str = "", service: str = "ordering") -> FinishedSpan:
    return FinishedSpan(
        trace_id="7" * 32,
        span_id=id,
        parent_id=parent,
        name=name,
        service=service,
        start=BEGIN + round(at * MILLISECOND),
        end=BEGIN + round((at + took) * MILLISECOND),
    )


CALL = replace(_span("a", "PlaceOrder", 0, 12, service="shop"), kind="client")
ANSWER = replace(_span("b", "PlaceOrder", 1, 9.5, parent="a"), kind="server")
DECIDE = _span("c", "decide order", 1.5, 0.4, parent="b")
COMMIT = replace(_span("d", "commit order", 2, 8, parent="b"), kind="client")
PUBLISH = replace(_span("e", "publish events", 11, 1, parent="b"), kind="producer", attributes=ORDER_PLACED)
PROCESS = replace(
    _span("f", "process inventory.p0", 12.5, 3, parent="b", service="inventory"),
    kind="consumer",
    attributes=ORDER_PLACED,
)
FAILED = replace(
    _span("g", "call capture", 13, 100, parent="f", service="payments"),
    failed=True,
    message="the gateway is away",
    attributes={"error.type": "GatewayAway"},
)
LAST = _span("h", "commit stock", 14, 1, parent="f", service="inventory")

TREE = """\
trace 77777777777777777777777777777777 · 8 spans · 4 services · 113.0 ms
start   took  service    span
  0.0   12.0  shop       PlaceOrder
  1.0    9.5  ordering   └ PlaceOrder
  1.5    0.4  ordering     ├ decide order
  2.0    8.0  ordering     ├ commit order
 11.0    1.0  ordering     └ publish OrderPlaced
 12.5    3.0  inventory      └ process OrderPlaced
 13.0  100.0  payments         ├ call capture ✗ GatewayAway: the gateway is away
 14.0    1.0  inventory        └ commit stock"""

SPANS = [CALL, ANSWER, DECIDE, COMMIT, PUBLISH, PROCESS, FAILED, LAST]


def test_a_trace_reads_as_a_tree() -> None:
    assert "\n".join(lines(SPANS)) == TREE


def test_spans_may_come_in_any_order_and_more_than_once() -> None:
    assert "\n".join(lines([*reversed(SPANS), CALL])) == TREE


def test_a_message_is_handled_below_the_attempt_that_published_it() -> None:
    first, late = replace(PUBLISH, span_id="x"), replace(PUBLISH, span_id="z", start=PROCESS.end)
    first = replace(first, start=ANSWER.start)
    assert parents_of([ANSWER, first, PUBLISH, late, PROCESS])["f"] == "e"


def test_a_span_whose_parent_never_came_stands_below_the_one_it_is_linked_to() -> None:
    orphan = replace(PROCESS, parent_id="missing", attributes={}, links=[("other", "nowhere"), (CALL.trace_id, "e")])
    assert parents_of([ANSWER, PUBLISH, orphan])["f"] == "e"


def test_a_span_that_nothing_leads_to_is_a_root() -> None:
    orphan = replace(LAST, parent_id="missing")
    assert [placed.guides for placed in place([CALL, orphan])] == ["", ""]


def test_every_span_has_a_place_even_if_their_parents_go_in_circles() -> None:
    circle = [replace(DECIDE, parent_id="d"), replace(COMMIT, parent_id="c"), replace(LAST, parent_id="h")]
    assert sorted(placed.span.span_id for placed in place(circle)) == ["c", "d", "h"]


def test_a_trace_folds_to_its_hops() -> None:
    folded = lines(SPANS, folded=True)
    assert [line.split(maxsplit=3)[3] for line in folded[2:]] == ["PlaceOrder", "└ PlaceOrder", "└ process OrderPlaced"]
    assert folded[0] == TREE.splitlines()[0]


def test_a_method_stands_without_its_package() -> None:
    [_, _, row] = lines([replace(CALL, name="commerce.ordering.v1.OrderingService/PlaceOrder")])
    assert row.endswith("shop     OrderingService/PlaceOrder")


def test_a_long_label_is_cut_where_the_screen_ends_and_no_time_is() -> None:
    narrow = lines(SPANS, width=50)
    assert max(len(line) for line in narrow[1:]) <= 50
    assert any("…" in line for line in narrow)
    times = [line.split()[:3] for line in TREE.splitlines()[1:]]
    assert [line.split()[:3] for line in narrow if not line.startswith(("trace", "4 services"))] == times
