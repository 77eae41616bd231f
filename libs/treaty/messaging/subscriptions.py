"""Subscriptions: which integration events of other contexts a context wants, and what it does with each."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

M = TypeVar("M")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One kind of message, its translation into a command of ours, and the use case that takes it.

    `name` is part of the cause under which the message takes effect: it stays the same for ever. `commits` says that
    the use case always commits, so that the audit finds each message that it took.
    """

    name: str
    type: str
    parse: Callable[[bytes], Any]
    translate: Callable[[Any], Any]
    then: Callable[[Any], Awaitable[Any]]
    commits: bool = True

    @property
    def producer(self) -> str:
        """The context that publishes it: commerce.ordering for commerce.ordering.v1.OrderPlaced."""
        return context_of(self.type)


def on(
    message: type[M],
    translate: Callable[[M], C | None],
    then: Callable[[C], Awaitable[Any]],
    *,
    name: str = "",
    commits: bool = True,
) -> Subscription:
    """Subscribes to a protobuf message.

    Args:
        message: the generated class of the integration event.
        translate: the anti-corruption layer: their message → our command, or None if it does not concern us. Pure.
        then: the use case. Its changes are committed under the id of the event, so a repeat changes nothing.
        name: tells two subscriptions to the same event apart; the event's own name by default.
        commits: False for a use case that may commit nothing at all. `treaty audit` does not look for its messages.
    """
    descriptor: Any = message.DESCRIPTOR  # type: ignore[attr-defined]
    parse: Callable[[bytes], M] = message.FromString  # type: ignore[attr-defined]
    return Subscription(name or descriptor.name, descriptor.full_name, parse, translate, then, commits)


def context_of(type_name: str) -> str:
    """Returns the context that owns a message type: its package without the version."""
    return type_name.rpartition(".")[0].rpartition(".")[0]


def by_producer(subscriptions: Iterable[Subscription]) -> Mapping[str, Sequence[str]]:
    """Returns the wanted types of each producing context, each once."""
    wanted: dict[str, list[str]] = {}
    for subscription in subscriptions:
        types = wanted.setdefault(subscription.producer, [])
        if subscription.type not in types:
            types.append(subscription.type)
    return wanted
