"""The customer aggregate: the purchases, the tier that they earn, and the time of the next review."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.domain import Aggregate, Invalid, NotFound, Rejected

from services.commerce.customers.domain.events import (
    CustomerDowngraded,
    CustomerEvent,
    CustomerForgotten,
    CustomerPromoted,
    CustomerRegistered,
    PurchaseNoted,
    ReturnNoted,
    TierKept,
)
from services.commerce.customers.domain.tiers import (
    Earned,
    Purchase,
    Return,
    Tier,
    earned_in,
    is_recent,
    year_before,
)

KEPT = 200
"""The number of purchases, and of returns, that are kept of a year: ten times the orders for the highest tier."""


@dataclass(slots=True, kw_only=True)
class Customer(Aggregate[CustomerEvent]):
    """One customer. The id contains nothing personal.

    Purchases and returns arrive in any order, and may arrive before the registration. So the worth of the purchases is
    calculated from both each time. Only the review that was set last counts: a timer is out of date if its time is not
    `review_at`.
    """

    registered_at: datetime | None = None
    private_ref: str = ""
    tier: Tier = Tier.STANDARD
    changes: int = 0
    review_at: datetime | None = None
    purchases: tuple[Purchase, ...] = ()
    returns: tuple[Return, ...] = ()
    forgotten: bool = False

    def register(self, private_ref: str, at: datetime, review_after: timedelta) -> None:
        """Registers the customer. Earlier purchases count at once."""
        if self.registered_at is not None:
            raise Rejected(f"{self.id} is registered already", reason="CUSTOMER_REGISTERED_ALREADY")
        self.record(CustomerRegistered(private_ref=private_ref, registered_at=at, review_at=at + review_after))
        self._rise(at, review_after)

    def note_purchase(self, purchase: Purchase, at: datetime, review_after: timedelta) -> None:
        """Counts a completed order. Does nothing if it is counted already."""
        if any(known.order_id == purchase.order_id for known in self.purchases):
            return
        self.record(PurchaseNoted(purchase=purchase, noted_at=at))
        if self.registered_at is not None:
            self._rise(at, review_after)

    def note_return(self, returned: Return) -> None:
        """Subtracts a refund from the purchases. This alone downgrades nobody. Does nothing if it is known already."""
        if all(known.return_id != returned.return_id for known in self.returns):
            self.record(ReturnNoted(returned=returned))

    def change_tier(self, tier: Tier, reason: str, at: datetime, review_after: timedelta) -> None:
        """Promotes or downgrades the customer by hand."""
        self.must_be_registered()
        if not reason.strip():
            raise Invalid("a change of tier needs a reason", field="reason")
        self._move(tier, reason, at, review_after)

    def review(self, due: datetime, at: datetime, review_after: timedelta) -> None:
        """Downgrades the customer to the tier that the last year earned. Ignores a review that was replaced."""
        if due != self.review_at:
            return
        earned = self.earned_at(at)
        if earned.tier.rank < self.tier.rank:
            self._move(earned.tier, f"only {earned.reason}", at, review_after)
        else:
            self.record(TierKept(reviewed_at=at, review_at=at + review_after))

    def forget(self, at: datetime) -> None:
        """Removes the reference to the personal data. It can be asked for again, and is announced again then."""
        self.must_be_registered()
        self.record(CustomerForgotten(forgotten_at=at))

    def must_be_registered(self) -> None:
        if self.registered_at is None:
            raise NotFound(f"{self.id} is not registered")

    def earned_at(self, at: datetime) -> Earned:
        """Returns the tier that the purchases of the year before a moment earn."""
        return earned_in(year_before(at, self.purchases, self.returns))

    def _rise(self, at: datetime, review_after: timedelta) -> None:
        earned = self.earned_at(at)
        if earned.tier.rank > self.tier.rank:
            self._move(earned.tier, earned.reason, at, review_after)

    def _move(self, tier: Tier, reason: str, at: datetime, review_after: timedelta) -> None:
        if tier is self.tier:
            return
        kind = CustomerPromoted if tier.rank > self.tier.rank else CustomerDowngraded
        self.record(
            kind(
                number=self.changes + 1,
                previous=self.tier,
                new=tier,
                reason=reason,
                changed_at=at,
                review_at=at + review_after,
            )
        )

    def evolve(self, event: CustomerEvent) -> None:
        match event:
            case CustomerRegistered():
                self.registered_at, self.private_ref = event.registered_at, event.private_ref
                self.review_at = event.review_at
            case PurchaseNoted():
                self._remember_purchase(event.purchase, event.noted_at)
            case ReturnNoted():
                self._remember_return(event.returned)
            case CustomerPromoted() | CustomerDowngraded():
                self.tier, self.changes, self.review_at = event.new, event.number, event.review_at
            case TierKept():
                self.review_at = event.review_at
            case CustomerForgotten():
                self.forgotten, self.private_ref = True, ""

    def _remember_purchase(self, purchase: Purchase, at: datetime) -> None:
        recent = [known for known in (*self.purchases, purchase) if is_recent(known.completed_at, at)]
        self.purchases = tuple(sorted(recent, key=lambda known: (known.completed_at, known.order_id))[-KEPT:])

    def _remember_return(self, returned: Return) -> None:
        recent = [known for known in (*self.returns, returned) if is_recent(known.noted_at, returned.noted_at)]
        self.returns = tuple(sorted(recent, key=lambda known: (known.noted_at, known.return_id))[-KEPT:])
