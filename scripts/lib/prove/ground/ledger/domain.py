"""A page of the ledger. A movement that comes twice or out of order is recorded as an event for the checker."""

from dataclasses import dataclass

from treaty.domain import Aggregate


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    number: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A movement that was noted before came again, and was not recognised as a repetition."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfTurn:
    """A movement came before the expected one."""

    number: int
    expected: int


PageEvent = Noted | Repeated | OutOfTurn


@dataclass(slots=True, kw_only=True)
class Page(Aggregate[PageEvent]):
    last: int = 0
    total: int = 0

    def note(self, number: int, amount: int) -> None:
        if number <= self.last:
            self.record(Repeated(number=number))
            return
        if number > self.last + 1:
            self.record(OutOfTurn(number=number, expected=self.last + 1))
        self.record(Noted(number=number, amount=amount))

    def evolve(self, event: PageEvent) -> None:
        if isinstance(event, Noted):
            self.last = event.number
            self.total += event.amount
