"""A small OTLP receiver: it keeps spans and metrics from gRPC in memory, for tests, demos and a terminal."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self, TypeVar

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from treaty.telemetry.spans import FinishedSpan, attributes_of, from_otlp

T = TypeVar("T")


class TraceReceiver:
    """Receives spans and metrics while the block runs.

    Args:
        port: a port of the loopback interface, or of `host`; 0 for a free one.
        keep: the most spans to keep; the oldest traces are dropped first.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", keep: int = 50_000) -> None:
        self.port = port
        self._host, self._keep = host, keep
        self._traces: OrderedDict[str, list[FinishedSpan]] = OrderedDict()
        self._count = 0
        self._metrics: dict[tuple[str, str], Metric] = {}
        self._news = asyncio.Condition()
        self._server: Any = None

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(self), self._server)  # type: ignore[no-untyped-call]
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(self), self._server)  # type: ignore[no-untyped-call]
        self.port = self._server.add_insecure_port(f"{self._host}:{self.port}")
        await self._server.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.stop(None)

    @property
    def endpoint(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://{self._host}:{self.port}"

    def traces(self) -> Sequence[str]:
        """Returns the ids of the kept traces, the oldest first."""
        return list(self._traces)

    def trace(self, trace_id: str) -> Sequence[FinishedSpan]:
        """Returns the spans of a trace that have arrived so far."""
        return list(self._traces.get(trace_id, ()))

    def services(self, trace_id: str) -> Sequence[str]:
        """Returns the sorted names of the services in a trace."""
        return sorted({span.service for span in self._traces.get(trace_id, ())})

    def metric(self, service: str, name: str) -> Metric | None:
        """Returns the latest export of a metric, or None."""
        return self._metrics.get((service, name))

    async def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:
        """Returns the first true value of a condition, which is evaluated at every arrival.

        Raises:
            TimeoutError: if the condition is not true within `timeout` seconds.
        """
        async with asyncio.timeout(timeout), self._news:
            return await self._news.wait_for(predicate)

    async def take_spans(self, spans: Sequence[FinishedSpan]) -> None:
        """Stores spans, and wakes the waiters."""
        for span in spans:
            self._traces.setdefault(span.trace_id, []).append(span)
        self._count += len(spans)
        while self._count > self._keep:
            _, oldest = self._traces.popitem(last=False)
            self._count -= len(oldest)
        async with self._news:
            self._news.notify_all()

    async def take_metrics(self, service: str, metrics: Sequence[Metric]) -> None:
        """Stores the latest values of metrics, and wakes the waiters."""
        self._metrics.update({(service, metric.name): metric for metric in metrics})
        async with self._news:
            self._news.notify_all()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: TraceReceiver) -> None:
        self._receiver = receiver

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        await self._receiver.take_spans(list(from_otlp(request)))
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: TraceReceiver) -> None:
        self._receiver = receiver

    async def Export(
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, context: Any
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            service = str(attributes_of(resource.resource.attributes).get("service.name", ""))
            for scope in resource.scope_metrics:
                await self._receiver.take_metrics(service, scope.metrics)
        return metrics_service_pb2.ExportMetricsServiceResponse()


async def quiet_traces(receiver: TraceReceiver, quiet: float) -> AsyncGenerator[Sequence[FinishedSpan], None]:
    """Yields a trace once no span of it has arrived for `quiet` seconds; yields it again if more spans arrive later."""
    shown: dict[str, int] = {}
    sizes: dict[str, int] = {}
    while True:
        await asyncio.sleep(quiet)
        before, sizes = sizes, {id: len(receiver.trace(id)) for id in receiver.traces()}
        shown = {id: size for id, size in shown.items() if id in sizes}
        for id, size in sizes.items():
            if before.get(id) == size != shown.get(id):
                shown[id] = size
                yield receiver.trace(id)
