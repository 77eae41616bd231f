"""The exporters of spans and metrics. They are imported only with a collector, because they take some megabytes."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from treaty.telemetry.redaction import without_credentials

logger = structlog.get_logger()

_EXPORT_EVERY_MS = 1000.0
_PORT = 4317
_ASKED_SECONDS = 0.3


@dataclass(slots=True)
class Reach:
    """Logs once when the collector becomes unreachable, and once when it is reachable again.

    `told` has the endpoints that are known to be away. The signals and the contexts of a process share it, so that it
    logs each endpoint only once.
    """

    endpoint: str
    told: set[str]
    away: bool = False

    def note(self, reached: bool) -> None:
        if reached is not self.away:
            return
        self.away = not reached
        if self.away and self.endpoint not in self.told:
            self.told.add(self.endpoint)
            logger.warning("the collector is away; the data for it is dropped", endpoint=self.endpoint)
        elif reached and self.endpoint in self.told:  # also a warning, so that it shows wherever the other one does
            self.told.discard(self.endpoint)
            logger.warning("the collector is back", endpoint=self.endpoint)

    def refused(self) -> bool:
        """Returns whether nothing listens at the endpoint now; False too if its host does not answer at once."""
        address = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}")
        try:
            with socket.create_connection((address.hostname, address.port or _PORT), timeout=_ASKED_SECONDS):
                return False
        except TimeoutError:
            return False
        except (OSError, ValueError):
            return True


class _SpanExporter(OTLPSpanExporter):
    def __init__(self, endpoint: str, told: set[str]) -> None:
        super().__init__(endpoint=endpoint)
        self.reach = Reach(without_credentials(endpoint), told)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = super().export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        self.reach.note(result is SpanExportResult.SUCCESS)
        return result


class _MetricExporter(OTLPMetricExporter):
    def __init__(self, endpoint: str, told: set[str]) -> None:
        super().__init__(endpoint=endpoint)
        self.reach = Reach(without_credentials(endpoint), told)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        try:
            result = super().export(metrics_data, timeout_millis, **kwargs)
        except Exception:
            result = MetricExportResult.FAILURE
        self.reach.note(result is MetricExportResult.SUCCESS)
        return result


@dataclass(frozen=True, slots=True)
class Part:
    """The provider and the exporter of one signal."""

    provider: Any
    exporter: Any

    @property
    def reach(self) -> Reach:
        reach: Reach = self.exporter.reach
        return reach


def tracing(resource: Resource, endpoint: str, environ: Mapping[str, str], told: set[str]) -> Part | None:
    """Returns the export of spans, or None without an endpoint."""
    if not endpoint:
        return None
    exporter = _SpanExporter(endpoint, told)
    delay = float(environ.get("OTEL_BSP_SCHEDULE_DELAY") or _EXPORT_EVERY_MS)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay))
    return Part(provider, exporter)


def metering(resource: Resource, endpoint: str, told: set[str]) -> Part | None:
    """Returns the export of metrics, or None without an endpoint."""
    if not endpoint:
        return None
    exporter = _MetricExporter(endpoint, told)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource, shutdown_on_exit=False)
    return Part(provider, exporter)
