"""Starting and stopping telemetry, by the standard OTEL_ variables. A collector that is away is never felt.

The SDK reads the finer settings by itself from the environment of the process: OTEL_TRACES_SAMPLER and its _ARG,
OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _CERTIFICATE, OTEL_METRIC_EXPORT_INTERVAL, OTEL_BSP_*.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import structlog
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider

from treaty.probes import Probe
from treaty.telemetry.probe import OpenTelemetryProbe, PassingProbe
from treaty.telemetry.redaction import without_credentials

log = structlog.get_logger()

FLUSH_SECONDS = 2.0
"""How long an end waits at most for what is still to be exported."""

_EXPORT_EVERY_MS = 1000.0
_CHATTY = ("opentelemetry.exporter.otlp", "opentelemetry.sdk._shared_internal")
"""Loggers that complain at every attempt; we say once that the collector is away, and once that it is back."""


@dataclass(slots=True)
class Telemetry:
    """Running telemetry; close it, or use it as a context manager. `close` blocks for two seconds at most."""

    probe: Probe
    _parts: "Sequence[_Part]" = ()

    def close(self) -> None:
        """Exports what is left, if that is possible within two seconds, and ends."""
        parts, self._parts = self._parts, ()
        if not _within(FLUSH_SECONDS, [part.provider.shutdown for part in parts]):
            for part in parts:
                part.reach.note(False)
                part.exporter.shutdown()

    async def aclose(self) -> None:
        """Like `close`, while the event loop goes on."""
        await asyncio.to_thread(self.close)

    async def flush(self) -> bool:
        """Exports what there is now; tells whether that was possible within two seconds."""
        parts = self._parts
        ended = await asyncio.to_thread(_within, FLUSH_SECONDS, [part.provider.force_flush for part in parts])
        return ended and not any(part.reach.away for part in parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


def start_telemetry(service_name: str, environ: Mapping[str, str]) -> Telemetry:
    """Starts what the environment asks for: nothing without OTEL_EXPORTER_OTLP_ENDPOINT, or the one of a signal.

    Args:
        service_name: what this process is called, unless OTEL_SERVICE_NAME says otherwise.
    """
    traces, metrics = _endpoint("TRACES", environ), _endpoint("METRICS", environ)
    if not traces and not metrics:
        return Telemetry(PassingProbe())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    resource = _resource(service_name, environ)
    tracing, metering = _tracing(resource, traces, environ), _metering(resource, metrics)
    return Telemetry(
        OpenTelemetryProbe(
            (tracing.provider if tracing else NoOpTracerProvider()).get_tracer("treaty"),
            (metering.provider if metering else NoOpMeterProvider()).get_meter("treaty"),
        ),
        [part for part in (tracing, metering) if part is not None],
    )


@dataclass(slots=True)
class _Reach:
    """Says once that a collector is away, and once that it is back."""

    endpoint: str
    signal: str
    away: bool = False

    def note(self, reached: bool) -> None:
        if reached is not self.away:
            return
        self.away = not reached
        if reached:  # as loud as the other, so that nobody who saw that one believes it is still so
            log.warning("the collector is back", signal=self.signal, endpoint=self.endpoint)
        else:
            log.warning("the collector is away; what it misses is dropped", signal=self.signal, endpoint=self.endpoint)


class _SpanExporter(OTLPSpanExporter):
    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self.reach = _Reach(without_credentials(endpoint), "traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = super().export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        self.reach.note(result is SpanExportResult.SUCCESS)
        return result


class _MetricExporter(OTLPMetricExporter):
    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self.reach = _Reach(without_credentials(endpoint), "metrics")

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        try:
            result = super().export(metrics_data, timeout_millis, **kwargs)
        except Exception:
            result = MetricExportResult.FAILURE
        self.reach.note(result is MetricExportResult.SUCCESS)
        return result


@dataclass(frozen=True, slots=True)
class _Part:
    """What exports one signal."""

    provider: Any
    exporter: Any

    @property
    def reach(self) -> _Reach:
        reach: _Reach = self.exporter.reach
        return reach


def _tracing(resource: Resource, endpoint: str, environ: Mapping[str, str]) -> _Part | None:
    if not endpoint:
        return None
    exporter = _SpanExporter(endpoint)
    delay = float(environ.get("OTEL_BSP_SCHEDULE_DELAY") or _EXPORT_EVERY_MS)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    return _Part(provider, exporter)


def _metering(resource: Resource, endpoint: str) -> _Part | None:
    if not endpoint:
        return None
    exporter = _MetricExporter(endpoint)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource, shutdown_on_exit=False)
    return _Part(provider, exporter)


def _endpoint(signal: str, environ: Mapping[str, str]) -> str:
    """Returns where a signal goes, empty for nowhere."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    if environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower() != "otlp":
        return ""
    return environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


def _resource(service_name: str, environ: Mapping[str, str]) -> Resource:
    """Returns who we are; what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes first."""
    told = Resource.create().attributes
    ours: dict[str, Any] = {
        "service.namespace": "treaty",
        "service.version": _version(),
        "deployment.environment.name": environ.get("TREATY_ENVIRONMENT") or "dev",
    }
    name = environ.get("OTEL_SERVICE_NAME") or service_name
    return Resource({**ours, **told, "service.name": name})


def _version() -> str:
    try:
        return version("treaty")
    except PackageNotFoundError:
        return "unknown"


def _within(seconds: float, steps: Sequence[Callable[[], object]]) -> bool:
    """Takes the steps beside each other, in threads that may be left behind; tells whether all ended in time."""
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_quietly, args=[step], daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _quietly(step: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        step()
