"""Policies and their annotations: the integration events that a policy may yield are read from its signature.

The annotation of the result lists them:
`def publish(order: Order, event: OrderEvent) -> Iterator[pb.OrderPlaced | Call]`.
"""

import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from treaty.domain import Call, Effect, Policy
from treaty.wiring import WiringError


def events_of(policy: Policy) -> frozenset[type]:
    """Returns the protobuf classes of the integration events that a policy may yield.

    Raises:
        WiringError: if it is no function of a state and an event, or if the annotation of its result does not list the
            events.
    """
    if inspect.iscoroutinefunction(policy) or inspect.isasyncgenfunction(policy):
        raise WiringError(f"the policy {_name(policy)} is async: a policy is pure, so write `def` without `async`")
    try:
        inspect.signature(policy).bind(object(), object())
    except TypeError:
        raise WiringError(f"the policy {_name(policy)} must take a state and an event: (state, event)") from None
    try:
        result = typing.get_type_hints(policy)["return"]
        [yielded] = typing.get_args(result)
        kinds = frozenset(_members(yielded)) - {Call}
    except Exception as error:  # an annotation in quotes may be any expression
        raise _unclear(policy, f" ({type(error).__name__}: {error})" if isinstance(error, NameError) else "") from None
    if not all(isinstance(kind, type) and hasattr(kind, "DESCRIPTOR") and kind.__name__ != "Message" for kind in kinds):
        raise _unclear(policy)
    return kinds


def effects_of(policy: Policy, state: Any, event: Any) -> Iterator[Effect]:
    """Yields the effects of one event.

    Raises:
        WiringError: if the policy yields an integration event that its annotation does not list.
    """
    listed = _listed(_Same(policy))
    for effect in policy(state, event):
        if listed is not None and not isinstance(effect, Call) and type(effect) not in listed:
            raise _unlisted(policy, type(effect))
        yield effect


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A policy as a key of a cache; it need not be hashable itself."""

    policy: Policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.policy is other.policy

    def __hash__(self) -> int:
        return id(self.policy)


@cache
def _listed(same: _Same) -> frozenset[type] | None:
    """Returns the events that a policy lists, or None without a list. No context starts with such a policy."""
    try:
        return events_of(same.policy)
    except WiringError:
        return None


def unpublished(policy: Policy, event: type) -> WiringError:
    """Returns the error for an event that a policy may yield but its context does not publish."""
    return WiringError(
        f"the policy {_name(policy)} may yield {_full_name(event)}, which the context does not publish: "
        f"add {event.__name__} to `publishes` in service.py"
    )


def _unlisted(policy: Policy, event: type) -> WiringError:
    return WiringError(
        f"the policy {_name(policy)} yields {_full_name(event)}, which the annotation of its result does not list: "
        f"add {event.__name__} there, and to `publishes` in service.py"
    )


def _unclear(policy: Policy, why: str = "") -> WiringError:
    return WiringError(
        f"the policy {_name(policy)} must name the events that it may yield{why}: annotate its result, "
        "such as `-> Iterator[events.OrderPlaced | events.OrderCancelled]`, or `-> Iterator[Call]` for calls only"
    )


def _members(annotation: Any) -> Iterator[Any]:
    """Yields the members of a union, or the one type."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _name(policy: Any) -> str:
    """Returns where a policy stands; of a partial, or of an object, that of its function or its class."""
    named: Any = getattr(policy, "func", policy)
    named = named if hasattr(named, "__qualname__") else type(named)
    return f"{named.__module__}.{named.__qualname__}"


def _full_name(event: Any) -> str:
    return str(event.DESCRIPTOR.full_name)
