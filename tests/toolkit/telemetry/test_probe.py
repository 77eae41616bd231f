"""The probe: which trace a span belongs to, what an unsampled one costs, and how failures look."""

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from treaty.causes import Cause, acting
from treaty.probes import holding
from treaty.telemetry.probe import PassingProbe, PassingSpan

from tests.toolkit.telemetry.watchers import Watch

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
OTHER_TRACE = "11111111111111111111111111111111"
OTHER = f"00-{OTHER_TRACE}-2222222222222222-01"

NO_TRACEPARENTS = [
    "nonsense",
    f"00-{TRACE}-{SPAN}",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01\n",
]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_span_with_a_parent_belongs_to_its_trace(watch: Watch) -> None:
    with watch.probe.span("decide order", parent=SAMPLED):
        pass
    span = watch.span()
    assert (span.trace_id, span.parent_id, span.name, span.kind) == (TRACE, SPAN, "decide order", "internal")


def test_a_span_with_a_parent_ignores_what_is_going_on_around_it(watch: Watch) -> None:
    with watch.tracer.start_as_current_span("around"), watch.probe.span("commit order", parent=OTHER):
        pass
    assert watch.spans()[0].trace_id == OTHER_TRACE


@pytest.mark.parametrize("text", NO_TRACEPARENTS)
def test_a_parent_that_is_no_traceparent_begins_a_new_trace(watch: Watch, text: str) -> None:
    with watch.tracer.start_as_current_span("around"), watch.probe.span("call", kind="server", parent=text) as span:
        pass
    inner, around = watch.spans()
    assert inner.parent_id == ""
    assert inner.trace_id not in (around.trace_id, TRACE)
    assert span.trace.split("-")[1] == inner.trace_id


def test_a_span_without_a_parent_continues_the_current_one(watch: Watch) -> None:
    with watch.tracer.start_as_current_span("around"), watch.probe.span("call", kind="client"):
        pass
    inner, around = watch.spans()
    assert inner.parent_id == around.span_id


def test_a_span_without_a_parent_continues_the_trace_of_the_current_cause(watch: Watch) -> None:
    with acting(Cause(id="c-1", trace=SAMPLED)), watch.probe.span("call", kind="client"):
        pass
    assert watch.span().parent_id == SPAN


def test_spans_inside_a_span_are_its_children(watch: Watch) -> None:
    with watch.probe.span("process", kind="consumer", parent=SAMPLED), watch.probe.span("call", kind="client"):
        pass
    inner, outer = watch.spans()
    assert (inner.parent_id, inner.trace_id) == (outer.span_id, TRACE)


def test_what_follows_a_span_is_not_its_child(watch: Watch) -> None:
    with watch.probe.span("process", kind="consumer", parent=SAMPLED):
        pass
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_recorded_span_passes_on_its_own_trace(watch: Watch) -> None:
    with watch.probe.span("process", kind="consumer", parent=SAMPLED) as span:
        passed_on = span.trace
    recorded = watch.span()
    _, trace_id, span_id, flags = passed_on.split("-")
    assert (trace_id, span_id) == (recorded.trace_id, recorded.span_id)
    assert int(flags, 16) & 1


@pytest.mark.parametrize("kind", ["internal", "client", "producer", "consumer"])
def test_an_unsampled_trace_is_passed_on_unchanged_and_never_reaches_the_sdk(watch: Watch, kind: str) -> None:
    with watch.probe.span("decide order", kind=kind, parent=UNSAMPLED, links=[UNSAMPLED]) as span:
        assert span.trace == UNSAMPLED
        span.note(error_type="Nothing")
    assert isinstance(span, PassingSpan)
    assert not watch.spans()


def test_a_server_tells_those_behind_it_that_the_call_is_unsampled(watch: Watch) -> None:
    with watch.probe.span("PlaceOrder", kind="server", parent=UNSAMPLED) as span:
        _, trace_id, _, flags = span.trace.split("-")
    assert trace_id == TRACE
    assert not int(flags, 16) & 1
    assert not watch.spans()


def test_a_call_that_the_sampler_leaves_out_is_unsampled_for_those_behind_it() -> None:
    watch = Watch(ParentBased(ALWAYS_OFF))
    with watch.probe.span("PlaceOrder", kind="server") as span, watch.probe.span("commit", parent=span.trace) as inner:
        assert inner.trace == span.trace
    assert not int(span.trace[-2:], 16) & 1
    assert not watch.spans()


def test_a_batch_is_linked_to_all_its_sampled_causes(watch: Watch) -> None:
    with watch.probe.span("commit order", parent=SAMPLED, links=[OTHER, UNSAMPLED, "", "nonsense"]):
        pass
    span = watch.span()
    assert span.parent_id == SPAN
    assert span.links == [(OTHER_TRACE, "2222222222222222")]


def test_a_batch_is_recorded_when_any_of_its_causes_is(watch: Watch) -> None:
    with watch.probe.span("commit order", parent=UNSAMPLED, links=[UNSAMPLED, OTHER]):
        pass
    assert watch.span().trace_id == OTHER_TRACE


def test_notes_are_named_by_the_conventions(watch: Watch) -> None:
    with watch.probe.span("PlaceOrder", kind="server", attributes={"rpc.system.name": "grpc"}) as span:
        span.note(rpc_status_code="OK", error_type="none", treaty_unroutable=True)
    assert watch.span().attributes == {
        "rpc.system.name": "grpc",
        "rpc.response.status_code": "OK",
        "error.type": "none",
        "treaty.unroutable": True,
    }


class _Broken(Exception):
    pass


def _break(watch: Watch, error: BaseException, *, kind: str = "internal", code: str = "") -> None:
    with watch.probe.span("work", kind=kind, parent=SAMPLED) as span:
        if code:
            span.note(rpc_status_code=code, error_type="Rejected")
        raise error


def test_a_failure_is_marked_and_goes_on(watch: Watch) -> None:
    with pytest.raises(_Broken):
        _break(watch, _Broken("no way to amqp://treaty:hidden@rabbit:5672/\nand a second line"))
    span = watch.span()
    assert (span.failed, span.attributes["error.type"]) == (True, "_Broken")
    assert span.message == "no way to amqp://***@rabbit:5672/"


def test_a_cancellation_goes_on_and_is_no_failure(watch: Watch) -> None:
    with pytest.raises(asyncio.CancelledError):
        _break(watch, asyncio.CancelledError())
    assert not watch.span().failed


@pytest.mark.parametrize(
    ("code", "failed"),
    [("FAILED_PRECONDITION", False), ("NOT_FOUND", False), ("INTERNAL", True), ("UNAVAILABLE", True)],
)
def test_a_call_failed_when_the_server_is_to_blame_not_when_it_refused(watch: Watch, code: str, failed: bool) -> None:
    with pytest.raises(_Broken):
        _break(watch, _Broken(), kind="server", code=code)
    span = watch.span()
    assert span.failed is failed
    assert span.attributes["error.type"] == "Rejected", "what was noted is kept"


@pytest.mark.parametrize(
    ("parent", "passed_on"), [(SAMPLED, SAMPLED), (UNSAMPLED, UNSAMPLED), ("", ""), *((n, "") for n in NO_TRACEPARENTS)]
)
def test_a_process_that_exports_nothing_still_passes_traces_on(parent: str, passed_on: str) -> None:
    with PassingProbe().span("process", kind="consumer", parent=parent) as span:
        assert span.trace == passed_on


def _points(watch: Watch, name: str) -> Sequence[tuple[dict[str, str], float]]:
    points = watch.metrics()[name].data.data_points
    return sorted(((dict(p.attributes), getattr(p, "value", None) or p.sum) for p in points), key=str)


def test_counts_add_up_for_each_set_of_attributes(watch: Watch) -> None:
    for type, amount in [("A", 1), ("B", 2), ("A", 3)]:
        watch.probe.count("treaty.relay.published", amount, type=type)
    assert _points(watch, "treaty.relay.published") == [({"treaty.type": "A"}, 4), ({"treaty.type": "B"}, 2)]
    watch.probe.count("treaty.relay.published", type="B")
    assert _points(watch, "treaty.relay.published")[1] == ({"treaty.type": "B"}, 3)


def test_the_duration_of_calls_follows_the_conventions(watch: Watch) -> None:
    watch.probe.measure("rpc.server.call.duration", 0.02, method="a.v1.A/Do", code="OK")
    metric = watch.metrics()["rpc.server.call.duration"]
    (point,) = metric.data.data_points
    assert metric.unit == "s"
    assert dict(point.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "a.v1.A/Do",
        "rpc.response.status_code": "OK",
    }
    assert point.explicit_bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def test_a_gauge_is_exported_until_it_is_withdrawn(watch: Watch) -> None:
    watch.probe.gauge("treaty.quarantine.size", 3, queue="q0")
    with holding(watch.probe) as held:
        held.gauge("treaty.quarantine.size", 7, queue="q1")
        held.gauge("treaty.follower.lag", 1.5, follower="relay")
        for _ in range(2):
            sizes = _points(watch, "treaty.quarantine.size")
            assert sizes == [({"treaty.queue": "q0"}, 3), ({"treaty.queue": "q1"}, 7)]
            assert _points(watch, "treaty.follower.lag") == [({"treaty.follower": "relay"}, 1.5)]
    for _ in range(2):
        found = watch.metrics()
        assert _points(watch, "treaty.quarantine.size") == [({"treaty.queue": "q0"}, 3)]
        assert "treaty.follower.lag" not in found


def test_a_level_is_the_last_one_that_was_set(watch: Watch) -> None:
    for size in (3, 1):
        watch.probe.gauge("treaty.quarantine.size", size, queue="q")
    assert _points(watch, "treaty.quarantine.size") == [({"treaty.queue": "q"}, 1)]
