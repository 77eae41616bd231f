"""Starting telemetry: what the environment decides, and a collector that is away, slow or back again."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from structlog.testing import capture_logs
from treaty.telemetry.probe import OpenTelemetryProbe, PassingProbe
from treaty.telemetry.receiver import TraceReceiver
from treaty.telemetry.setup import close_together, start_telemetry
from treaty.testing import eventually

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SAMPLED = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


@pytest.fixture
def port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and never answered."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://127.0.0.1:4317", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_nothing_is_recorded_unless_it_is_exported(environ: dict[str, str]) -> None:
    with start_telemetry("shop", environ) as on:
        assert isinstance(on.probe, PassingProbe)


def test_without_traces_the_trace_is_still_passed_on(port: int) -> None:
    with (
        start_telemetry("shop", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://127.0.0.1:{port}"}) as on,
        on.probe.span("process", kind="consumer", parent=SAMPLED) as span,
    ):
        assert isinstance(on.probe, OpenTelemetryProbe)
        assert span.trace == SAMPLED


async def test_the_sampler_is_the_one_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    async with TraceReceiver() as receiver:
        async with start_telemetry("shop", {ENDPOINT: receiver.endpoint}) as on:
            with on.probe.span("left out"):
                pass
            with on.probe.span("sampled elsewhere", parent=SAMPLED):
                pass
        assert receiver.traces() == ["1" * 32]


async def test_the_environment_may_say_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=pod-1,deployment.environment.name=staging")
    async with TraceReceiver() as receiver:
        async with start_telemetry("shop", {ENDPOINT: receiver.endpoint, "OTEL_SERVICE_NAME": "till"}) as on:
            with on.probe.span("work"):
                pass
        (span,) = receiver.trace(receiver.traces()[0])
    assert span.service == "till"
    told = {"k8s.pod.name": "pod-1", "deployment.environment.name": "staging", "service.namespace": "treaty"}
    assert span.resource.items() >= told.items()


async def test_a_collector_that_is_away_is_mentioned_once_and_so_is_its_return(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    on = start_telemetry("shop", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}"})

    async def export() -> bool:
        with on.probe.span("work", parent=SAMPLED):
            pass
        return await on.flush()

    with caplog.at_level(logging.DEBUG), capture_logs() as lines:
        for _ in range(5):
            assert not await export()
        assert [line["event"] for line in lines] == ["the collector is away; the data for it is dropped"]
        async with TraceReceiver(port):
            await eventually(export)
            await on.aclose()
    assert [line["event"] for line in lines][1:] == ["the collector is back"]
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


@pytest.mark.slow
async def test_contexts_of_one_process_mention_an_absent_collector_once_and_end_together(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    told: set[str] = set()
    running = [start_telemetry(name, {ENDPOINT: f"http://127.0.0.1:{port}"}, told=told) for name in ("shop", "bank")]
    with capture_logs() as lines:
        for on in running:
            with on.probe.span("work", parent=SAMPLED):
                pass
            assert not await on.flush()
        async with asyncio.timeout(10):
            await asyncio.to_thread(close_together, running)
    assert [line["endpoint"] for line in lines] == [f"http://127.0.0.1:{port}"]


@pytest.mark.slow
async def test_a_collector_that_never_answers_holds_nobody_up(silent: int) -> None:
    on = start_telemetry("shop", {ENDPOINT: f"http://127.0.0.1:{silent}"})
    for _ in range(5_000):  # more than the queue holds
        with on.probe.span("work", parent=SAMPLED):
            pass
    on.probe.count("treaty.calls", type="capture")
    with capture_logs() as lines:
        async with asyncio.timeout(10):
            await on.aclose()
    assert len(lines) <= 1, "traces and metrics go to the same collector"
