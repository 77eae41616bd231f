"""The buyer aggregate: Ordering's copy of a customer."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

from services.commerce.ordering.domain.events import BuyerEvent, BuyerForgotten, TierNoted
from services.commerce.ordering.domain.pricing import Tier


@dataclass(slots=True, kw_only=True)
class Buyer(Aggregate[BuyerEvent]):
    """One buyer. Its id is the customer's."""

    tier: Tier = Tier.STANDARD
    forgotten: bool = False

    def note(self, tier: Tier) -> None:
        if tier is not self.tier:
            self.record(TierNoted(tier=tier))

    def forget(self) -> None:
        """Records that Customers erased what is known of the person. Does nothing if that is recorded already."""
        if not self.forgotten:
            self.record(BuyerForgotten())

    def must_be_known(self) -> None:
        """Refuses orders and addresses in the name of a customer who is forgotten: nobody would erase them."""
        if self.forgotten:
            raise Rejected(
                f"customer {self.id} was forgotten; a new order can be placed as a guest, without customer_id",
                reason="CUSTOMER_FORGOTTEN",
            )

    def evolve(self, event: BuyerEvent) -> None:
        match event:
            case TierNoted():
                self.tier = event.tier
            case BuyerForgotten():
                self.forgotten = True
