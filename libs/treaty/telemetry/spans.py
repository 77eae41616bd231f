"""Finished spans, as read from OTLP."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

Link = tuple[str, str]
"""(trace id, span id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSpan:
    """One span. Ids are hex; `parent_id` is empty for a root; times are nanoseconds since 1970; `kind` is server, …"""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str
    kind: str = "internal"
    service: str = ""
    start: int = 0
    end: int = 0
    failed: bool = False
    message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: Sequence[Link] = ()
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6


def from_otlp(request: ExportTraceServiceRequest) -> Iterator[FinishedSpan]:
    """Yields the spans of an OTLP export."""
    for resource in request.resource_spans:
        told = attributes_of(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _finished(span, told)


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Returns OTLP attributes as plain values."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _finished(span: trace_pb2.Span, resource: Mapping[str, Any]) -> FinishedSpan:
    return FinishedSpan(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        service=str(resource.get("service.name", "")),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        message=span.status.message,
        attributes=attributes_of(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        resource=resource,
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    return getattr(value, kind)
