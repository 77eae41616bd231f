"""An account. It numbers its movements, so that a subscriber can recognise a repeated and a missing movement."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Money came or went. `transfer` and `step` name the transfer to which the movement belongs, if there is one."""

    number: int
    amount: int
    transfer: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The ledger has noted a movement. `in_order` is false if it was not the next one."""

    number: int
    in_order: bool


@dataclass(slots=True, kw_only=True)
class Account(Aggregate[Moved | Acknowledged]):
    balance: int = 0
    number: int = 0
    acknowledged: int = 0
    disorder: int = 0

    def move(self, amount: int, *, transfer: str = "", step: str = "") -> None:
        if self.balance + amount < 0:
            raise Rejected(f"{-amount} is more than the balance, which is {self.balance}", reason="INSUFFICIENT_FUNDS")
        self.record(Moved(number=self.number + 1, amount=amount, transfer=transfer, step=step))

    def acknowledge(self, number: int) -> None:
        self.record(Acknowledged(number=number, in_order=number == self.acknowledged + 1))

    def evolve(self, event: Moved | Acknowledged) -> None:
        match event:
            case Moved():
                self.balance += event.amount
                self.number = event.number
            case Acknowledged():
                self.acknowledged = max(self.acknowledged, event.number)
                self.disorder += not event.in_order
