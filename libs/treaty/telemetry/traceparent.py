"""The W3C traceparent: the form of a trace in commits and in headers."""

import re

from opentelemetry.trace import SpanContext, TraceFlags

_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})")


def is_valid(text: str) -> bool:
    """Returns whether the text names a span."""
    return _SHAPE.fullmatch(text) is not None


def is_sampled(text: str) -> bool:
    """Returns whether the text names a sampled span; false if it is not a traceparent."""
    match = _SHAPE.fullmatch(text)
    return match is not None and bool(int(match[3], 16) & 1)


def ids_of(text: str) -> tuple[str, str]:
    """Returns the trace id and the span id in hex, both empty if the text is not a traceparent."""
    match = _SHAPE.fullmatch(text)
    return (match[1], match[2]) if match else ("", "")


def parse(text: str) -> SpanContext | None:
    """Returns the remote span that the text names, or None if it names none."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    flags = TraceFlags(int(match[3], 16))
    return SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=flags)


def render(span: SpanContext) -> str:
    """Returns the traceparent of a span, or an empty text for an invalid one."""
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
