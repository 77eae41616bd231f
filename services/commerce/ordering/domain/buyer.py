"""The buyer aggregate: Ordering's copy of a customer's tier."""

from dataclasses import dataclass

from treaty.domain import Aggregate

from services.commerce.ordering.domain.events import TierNoted
from services.commerce.ordering.domain.pricing import Tier


@dataclass(slots=True, kw_only=True)
class Buyer(Aggregate[TierNoted]):
    """One buyer. Its id is the customer's."""

    tier: Tier = Tier.STANDARD

    def note(self, tier: Tier) -> None:
        if tier is not self.tier:
            self.record(TierNoted(tier=tier))

    def evolve(self, event: TierNoted) -> None:
        self.tier = event.tier
