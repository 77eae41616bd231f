"""The cause of a commit: a command, message or call. The edges of a service set it in a context variable."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TypedDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The command, message, call or timer that leads to a commit: its id, its actor and its trace.

    `id` is unique on a stream for ever; this makes commands and messages idempotent. `digest` is a keyed hash of a
    command's body under the key with the id `digest_key`; `digests_before` has those under earlier keys. `trace` is a
    W3C traceparent; the caller's `tracestate` and `baggage` go on unchanged with all that follows from the cause.
    `correlation` is the request that began it all. For a cause that `continues`, such as the message of another system,
    it is replaced by that of the first cause of the stream. A `durable` cause (a message, a call or a timer) is
    delivered again until it is done, so it always commits, even to record a refusal. A client's command commits only
    when it takes effect.
    """

    id: str
    digest: str = ""
    actor: str = ""
    tenant: str = ""
    trace: str = ""
    correlation: str = ""
    durable: bool = False
    tracestate: str = ""
    baggage: str = ""
    digest_key: str = ""
    digests_before: Mapping[str, str] = field(default_factory=dict)
    continues: bool = False

    @property
    def carried(self) -> Mapping[str, str]:
        """The headers of a call that follows from this cause, besides the traceparent; empty ones are left out."""
        began = self.correlation or self.id
        headers = {"tracestate": self.tracestate, "baggage": self.baggage, CORRELATION_HEADER: printable(began)}
        return {name: value for name, value in headers.items() if value}


CORRELATION_HEADER = "treaty-correlation"
"""The header of a call with the correlation of its cause."""

_MOST_CHARACTERS = {"tracestate": 512, "baggage": 8192, CORRELATION_HEADER: 256}
"""Longer values are dropped. The first two are the lengths that W3C Trace Context and W3C Baggage ask every service to
pass on."""


class Carried(TypedDict):
    """The arguments of a Cause that its caller has sent only to be passed on."""

    tracestate: str
    baggage: str


def carried_by(headers: Mapping[str, object]) -> Carried:
    """Returns the `tracestate` and `baggage` in the headers of a request.

    A value that is too long or not printable ASCII is dropped, and so is a tracestate without a traceparent.
    """
    tracestate = _passed_on("tracestate", headers) if headers.get("traceparent") else ""
    return Carried(tracestate=tracestate, baggage=_passed_on("baggage", headers))


def begun_by(headers: Mapping[str, object]) -> str:
    """Returns the correlation in the headers of a request, or an empty text. It is a label: nothing rests on it."""
    return _passed_on(CORRELATION_HEADER, headers)


def label(name: str, text: str) -> str:
    """Returns a label of a message, or an empty text if it cannot be passed on: the same rules as for a request.

    Only a correlation and a tenant need not be ASCII, because they go on as headers of messages.
    """
    if name in ("tracestate", "baggage"):
        return _passed_on(name, {name: text})
    return text if len(text) <= _MOST_CHARACTERS[CORRELATION_HEADER] else ""


def printable(text: str) -> str:
    """Returns a text as the value of a header, or an empty text if it cannot be one."""
    return text if text.isascii() and text.isprintable() else ""


def _passed_on(name: str, headers: Mapping[str, object]) -> str:
    value = headers.get(name, "")
    fits = isinstance(value, str) and len(value) <= _MOST_CHARACTERS[name] and value.isascii() and value.isprintable()
    return str(value) if fits else ""


_current: ContextVar[Cause] = ContextVar("treaty.cause")


def current_cause() -> Cause:
    """Returns the cause of the current work.

    Raises:
        RuntimeError: outside of a command, message or call.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("a commit needs a cause: make this call inside `with acting(Cause(...))`") from None


@contextmanager
def acting(cause: Cause) -> Iterator[Cause]:
    """Sets `cause` as the cause of all work inside the block."""
    token = _current.set(cause)
    try:
        yield cause
    finally:
        _current.reset(token)


def step(name: str) -> Cause:
    """Returns the current cause with `/name` added to its id, for a use case that changes the same stream twice."""
    cause = current_cause()
    return replace(cause, id=f"{cause.id}/{name}")
