"""The probe on OpenTelemetry. Its spans continue a stored trace, and cost almost nothing when they are not sampled."""

from collections.abc import Iterator, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Self, Unpack

from opentelemetry import context as otel
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from treaty.causes import current_cause
from treaty.probes import NoProbe, Work
from treaty.telemetry.metrics import Instruments
from treaty.telemetry.redaction import without_credentials
from treaty.telemetry.traceparent import is_sampled, is_valid, parse, render

Value = str | int | float | bool

RPC_STATUS_CODE = "rpc.response.status_code"

_KINDS = {kind.name.lower(): kind for kind in SpanKind}

_NAMES = {"rpc_status_code": RPC_STATUS_CODE, "rpc_response_status_code": RPC_STATUS_CODE}
"""Attributes whose own names have underscores, and attributes that the conventions have renamed."""

_SERVER_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""The gRPC codes that make a server's span an error (OpenTelemetry's gRPC conventions); others are client errors."""


class PassingSpan:
    """A span that is not recorded; it passes its trace on unchanged, so that no later service records it either."""

    __slots__ = ("trace",)

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def note(self, **attributes: Value) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        pass


class PassingProbe(NoProbe):
    """Records nothing, but passes every trace on: a service without an export must not break a trace."""

    def span(self, name: str, **work: Unpack[Work]) -> PassingSpan:
        parent = work.get("parent", "")
        return PassingSpan(parent if is_valid(parent) else "")


class RecordedSpan:
    """A span of the SDK around a block of code, in which it is the current span."""

    __slots__ = ("_code", "_error_type", "_span", "_token", "trace")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._code = self._error_type = ""
        self._token: Token[Context] | None = None
        self.trace = render(span.get_span_context())

    def note(self, **attributes: Value) -> None:
        named = {_name(name): value for name, value in attributes.items()}
        self._code = str(named.get(RPC_STATUS_CODE, self._code))
        self._error_type = str(named.get("error.type", self._error_type))
        self._span.set_attributes(named)

    def __enter__(self) -> Self:
        self._token = otel.attach(set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._token is not None:
            otel.detach(self._token)
        if isinstance(error, Exception):  # a cancellation is not an error
            self._fail(error)
        self._span.end()

    def _fail(self, error: Exception) -> None:
        if self._code and self._code not in _SERVER_FAULTS:
            return
        if not self._error_type:
            self._span.set_attribute("error.type", type(error).__qualname__)
        self._span.set_status(Status(StatusCode.ERROR, _first_line(error)))


class OpenTelemetryProbe:
    """Records the core's reports as spans and metrics.

    A span with a `parent` belongs to that trace only; the current span does not matter. The span of a batch is recorded
    if one of its traces is sampled: the first sampled one of `parent` and `links` becomes its parent. Without a
    `parent`, the parent is the current span, or else the trace of the current cause.
    """

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._instruments = Instruments(meter)

    def span(self, name: str, **work: Unpack[Work]) -> PassingSpan | RecordedSpan:
        kind, parent, links = work.get("kind", "internal"), work.get("parent", ""), work.get("links", ())
        lead = parent and next((trace for trace in (parent, *links) if is_sampled(trace)), "")
        if parent and not lead and kind != "server" and is_valid(parent):
            return PassingSpan(parent)
        context = _remote(lead or parent) if parent else _around()
        return self._record(name, kind, context, links, work.get("attributes"))

    def _record(
        self, name: str, kind: str, context: Context, links: Sequence[str], attributes: Mapping[str, Value] | None
    ) -> RecordedSpan:
        span = self._tracer.start_span(
            name, context, _KINDS.get(kind, SpanKind.INTERNAL), attributes, list(_links(links))
        )
        return RecordedSpan(span)

    def count(self, name: str, amount: int = 1, **attributes: str) -> None:
        self._instruments.count(name, amount, attributes)

    def measure(self, name: str, value: float, **attributes: str) -> None:
        self._instruments.measure(name, value, attributes)

    def gauge(self, name: str, value: float, **attributes: str) -> None:
        self._instruments.gauge(name, value, attributes)

    def withdraw(self, name: str, **attributes: str) -> None:
        self._instruments.withdraw(name, attributes)

    def reach(self, place: str) -> None:
        pass


def _remote(trace: str) -> Context:
    """Returns a context with only the span that the text names, or an empty context if it names none."""
    span = parse(trace)
    return Context() if span is None else set_span_in_context(NonRecordingSpan(span), Context())


def _around() -> Context:
    if get_current_span().get_span_context().is_valid:
        return otel.get_current()
    try:
        return _remote(current_cause().trace)
    except RuntimeError:
        return Context()


def _links(traces: Sequence[str]) -> Iterator[Link]:
    """Yields links to the sampled spans; a link to another span leads nowhere."""
    for trace in traces:
        span = parse(trace)
        if span is not None and span.trace_flags.sampled:
            yield Link(span)


def _name(name: str) -> str:
    return _NAMES.get(name) or name.replace("_", ".")


def _first_line(error: Exception) -> str:
    return without_credentials(str(error).partition("\n")[0])[:200]
