"""The receiver, over a real socket: what a service exports can be read back, traces and metrics."""

import asyncio
import sys

import pytest
from treaty.telemetry.receiver import TraceReceiver, quiet_traces
from treaty.telemetry.setup import start_telemetry
from treaty.telemetry.spans import FinishedSpan


def _environ(receiver: TraceReceiver, **more: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, **more}


def _span(trace: str, span: str, service: str = "a") -> FinishedSpan:
    return FinishedSpan(trace_id=trace, span_id=span, name="work", service=service)


async def test_a_span_arrives_as_it_was_recorded() -> None:
    linked = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    async with (
        TraceReceiver() as receiver,
        start_telemetry("shop", _environ(receiver, TREATY_ENVIRONMENT="test")) as on,
    ):
        with on.probe.span("work", kind="producer", links=[linked], attributes={"a": "x", "b": 2, "c": 0.5}) as span:
            span.note(done=True)
        with pytest.raises(ValueError, match="no"), on.probe.span("rest", parent=span.trace):
            raise ValueError("no")
        assert await on.flush()
        (trace_id,) = receiver.traces()
        first, second = receiver.trace(trace_id)
    assert span.trace.split("-")[1:3] == [first.trace_id, first.span_id]
    assert (first.name, first.kind, first.service, first.failed) == ("work", "producer", "shop", False)
    assert first.attributes == {"a": "x", "b": 2, "c": 0.5, "done": True}
    assert first.links == [("1" * 32, "2" * 16)]
    assert first.milliseconds > 0
    assert (second.parent_id, second.failed, second.message) == (first.span_id, True, "no")
    expected = {"service.name": "shop", "service.namespace": "treaty", "deployment.environment.name": "test"}
    assert first.resource.items() >= expected.items()
    assert first.resource["service.version"]


async def test_metrics_arrive() -> None:
    async with TraceReceiver() as receiver, start_telemetry("shop", _environ(receiver)) as on:
        on.probe.count("treaty.calls", 3, type="capture")
        assert await on.flush()
        metric = receiver.metric("shop", "treaty.calls")
    assert metric is not None
    assert metric.unit == "{call}"
    assert [point.as_int for point in metric.sum.data_points] == [3]


async def test_what_is_not_exported_yet_arrives_when_telemetry_ends() -> None:
    async with TraceReceiver() as receiver:
        async with start_telemetry("shop", _environ(receiver)) as on:
            with on.probe.span("work"):
                pass
        assert len(receiver.traces()) == 1


async def test_the_services_of_a_trace_are_told_apart() -> None:
    async with TraceReceiver() as receiver:
        await receiver.take_spans([_span("1", "a", "shop"), _span("1", "b", "bank"), _span("2", "c", "mint")])
        assert receiver.services("1") == ["bank", "shop"]
        assert receiver.services("3") == []


async def test_waiting_ends_when_what_is_waited_for_arrives() -> None:
    async with TraceReceiver() as receiver:
        waiting = asyncio.create_task(receiver.wait_for(lambda: receiver.trace("1"), timeout=10))
        await receiver.take_spans([_span("2", "a")])
        await receiver.take_spans([_span("1", "b")])
        assert [span.span_id for span in await waiting] == ["b"]


async def test_waiting_in_vain_ends() -> None:
    async with TraceReceiver() as receiver:
        with pytest.raises(TimeoutError):
            await receiver.wait_for(lambda: receiver.trace("1"), timeout=0.01)


async def test_memory_is_bounded_and_the_oldest_traces_go_first() -> None:
    async with TraceReceiver(keep=4) as receiver:
        for trace in "123":
            await receiver.take_spans([_span(trace, f"{trace}{n}") for n in range(2)])
        assert list(receiver.traces()) == ["2", "3"]


async def test_a_trace_is_shown_once_it_is_quiet_and_again_when_more_comes() -> None:
    async with TraceReceiver() as receiver:
        showing = quiet_traces(receiver, 0.001)
        await receiver.take_spans([_span("1", "a")])
        async with asyncio.timeout(10):
            assert len(await anext(showing)) == 1
            await receiver.take_spans([_span("2", "b")])
            assert [span.span_id for span in await anext(showing)] == ["b"]
            await receiver.take_spans([_span("1", "c")])
            assert len(await anext(showing)) == 2
        await showing.aclose()


@pytest.mark.slow
async def test_in_a_terminal_it_prints_traces_as_they_complete() -> None:
    module = ("-m", "treaty.cli", "traces", "--port", "0", "--quiet", "0.05")
    process = await asyncio.create_subprocess_exec(sys.executable, *module, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            listening = (await process.stdout.readline()).decode()
            environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{int(listening.rpartition(':')[2])}"}
            async with start_telemetry("shop", environ) as on:
                with on.probe.span("decide order"):
                    pass
            text = [(await process.stdout.readline()).decode() for _ in range(4)]
        assert "1 span " in text[1]
        assert text[3].split()[2:] == ["shop", "decide", "order"]
    finally:
        process.terminate()
        await process.wait()
