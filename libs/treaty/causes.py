"""The cause of a commit: a command, message or call. The edges of a service set it in a context variable."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The command, message, call or timer that leads to a commit: its id, its actor and its trace.

    `id` is unique on a stream for ever; this makes commands and messages idempotent. `digest` is a keyed hash of a
    command's body. `trace` is a W3C traceparent. A `durable` cause (a message, a call or a timer) is delivered again
    until it is done, so it always commits, even to record a refusal. A client's command commits only when it takes
    effect.
    """

    id: str
    digest: str = ""
    actor: str = ""
    tenant: str = ""
    trace: str = ""
    correlation: str = ""
    durable: bool = False


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
