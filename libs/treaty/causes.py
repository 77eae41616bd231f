"""Why a commit happens: the command, message or call behind it, carried in a context variable by the edges."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The id of what led to a commit, and who was behind it.

    `id` is unique on a stream for ever: that is the idempotence of commands and messages. `digest` is a keyed hash of
    a command's body. `trace` is a W3C traceparent. A `durable` cause (a message, a call, a timer) comes again until it
    is done, so it always commits, even to record a refusal; a client's command commits only when it takes effect.
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
    """Returns the cause of what is being done now.

    Raises:
        RuntimeError: outside of a command, message or call.
    """
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("nothing is committed without a cause: call this inside `with acting(Cause(...))`") from None


@contextmanager
def acting(cause: Cause) -> Iterator[Cause]:
    """Makes everything inside the block happen because of `cause`."""
    token = _current.set(cause)
    try:
        yield cause
    finally:
        _current.reset(token)


def step(name: str) -> Cause:
    """Returns the current cause narrowed to one step, for a use case that touches the same stream twice."""
    cause = current_cause()
    return replace(cause, id=f"{cause.id}/{name}")
