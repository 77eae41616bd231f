"""Given, when, then: tests of aggregates and sagas in the terms of the domain.

given(Order, "o-1", [placed]).when(Order.confirm).then([OrderConfirmed()])
given(Order, "o-1", [placed, cancelled]).when(Order.confirm).then_raises(Rejected, "ORDER_CANCELLED")
given_facts(checkout, Checkout(), [stock_yes]).when(payment_yes).then([ConfirmOrder(order_id="o-1")])
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from treaty.commits.stored import Stored, event_documents
from treaty.domain import Aggregate, DomainError
from treaty.sagas import React

A = TypeVar("A", bound=Aggregate[Any])
D = TypeVar("D", bound=DomainError)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[A]):
    """The outcome of a command: its events and the state after them, or the error."""

    state: A
    events: Sequence[Any]
    error: DomainError | None

    def then(self, events: Sequence[object]) -> A:
        """Checks that the command recorded exactly these events; returns the state after them."""
        if self.error is not None:
            raise AssertionError(f"{list(events)} expected, but it was refused: {self.error!r}") from self.error
        assert list(self.events) == list(events)
        return self.state

    def then_nothing(self) -> A:
        """Checks that the command recorded no event and raised no error; returns the state."""
        return self.then([])

    def then_raises(self, kind: type[D], reason: str = "") -> D:
        """Checks that the command raised an error of this kind, with this reason if it is given; returns it."""
        assert isinstance(self.error, kind), f"{kind.__name__} expected, not {self.error!r} with {list(self.events)}"
        assert not reason or self.error.reason == reason
        return self.error


@dataclass(frozen=True, slots=True)
class Given(Generic[A]):
    """An aggregate with past events."""

    state: A
    past: Sequence[Any]

    def when(self, command: Callable[[A], object]) -> Outcome[A]:
        """Runs one command on a copy; checks that the new state follows from its events alone."""
        work = self.state.fork()
        try:
            command(work)
        except DomainError as error:
            return Outcome(self.state, (), error)
        events = work.take_recorded()
        assert _evolved(self.state.fork(), events) == work, "the state was changed by more than its events"
        return Outcome(work, events, None)


def given(kind: type[A], id: str, events: Iterable[Any] = ()) -> Given[A]:
    """Returns an aggregate after these events."""
    past = tuple(events)
    return Given(_evolved(kind(id=id), past), past)


def _evolved(state: A, events: Iterable[Any]) -> A:
    for event in events:
        state.evolve(event)
    return state


@dataclass(frozen=True, slots=True)
class Reaction(Generic[S]):
    """The reaction of a saga to a fact: its new state and its commands."""

    state: S
    commands: Sequence[object]

    def then(self, commands: Sequence[object]) -> S:
        """Checks that the saga returned exactly these commands; returns the state."""
        assert list(self.commands) == list(commands)
        return self.state

    def then_nothing(self) -> S:
        """Checks that the saga returned no commands; returns the state."""
        return self.then([])


@dataclass(frozen=True, slots=True)
class GivenFacts(Generic[S]):
    """A saga that has received some facts."""

    react: React[S]
    state: S

    def when(self, fact: object) -> Reaction[S]:
        """Sends the saga the next fact."""
        return Reaction(*self.react(self.state, fact))


def given_facts(react: React[S], initial: S, facts: Iterable[object] = ()) -> GivenFacts[S]:
    """Returns a saga that has received these facts."""
    state = initial
    for fact in facts:
        state, _ = react(state, fact)
    return GivenFacts(react, state)


def carried_out(state: A, commands: Iterable[Callable[[A], object]]) -> tuple[A, list[Any]]:
    """Returns the state and the events after the commands. A refused command changes nothing."""
    events: list[Any] = []
    for command in commands:
        work = state.fork()
        try:
            command(work)
        except DomainError:
            continue
        events += work.take_recorded()
        state = work
    return state, events


def assert_folds(stored: Stored[A], state: A, events: Sequence[object]) -> None:
    """Checks that the stored events alone give the state, and that the state's snapshot gives it back."""
    folded = stored.fold(state.id, event_documents(stored.events, events))
    assert folded == state, f"the events give {folded}, not {state}"
    assert stored.restore(stored.snapshot(state)) == state
