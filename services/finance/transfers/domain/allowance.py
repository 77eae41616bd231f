"""The allowance aggregate: the amount that a customer may transfer in one currency on one day of the bank."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

from services.finance.money import Money
from services.finance.transfers.domain.events import AllowanceEvent, AllowanceGivenBack, AllowanceUsed


def allowance_id(customer_id: str, currency: str, day: str) -> str:
    return f"{customer_id}/{currency}/{day}"


@dataclass(slots=True, kw_only=True)
class Allowance(Aggregate[AllowanceEvent]):
    """One allowance, in minor units. It keeps the sum only: each call to it takes effect once."""

    used: int = 0

    def use(self, amount: Money, limit: Money) -> None:
        if self.used + amount.minor_units > limit.minor_units:
            left = Money(max(0, limit.minor_units - self.used), amount.currency)
            raise Rejected(f"the customer may transfer {left} more on this day, not {amount}", reason="DAILY_LIMIT")
        self.record(AllowanceUsed(units=amount.minor_units))

    def give_back(self, amount: Money) -> None:
        self.record(AllowanceGivenBack(units=amount.minor_units))

    def evolve(self, event: AllowanceEvent) -> None:
        match event:
            case AllowanceUsed():
                self.used += event.units
            case AllowanceGivenBack():
                self.used -= event.units
