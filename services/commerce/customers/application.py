"""What Customers can do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import PersonalData
from treaty.projections import Key, View

from services.commerce.customers.domain.customer import (
    Customer,
    CustomerDowngraded,
    CustomerEvent,
    CustomerForgotten,
    CustomerPromoted,
    CustomerRegistered,
    PurchaseNoted,
    ReturnNoted,
    TierKept,
)
from services.commerce.customers.domain.tiers import Purchase, Return, Tier
from services.commerce.customers.projections import CustomerRow, Happening
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCustomer:
    """Name and e-mail address are personal: they are kept beside the log, and never committed."""

    customer_id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTier:
    customer_id: str
    tier: Tier
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCustomer:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePurchase:
    customer_id: str
    purchase: Purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReturn:
    customer_id: str
    return_id: str
    order_id: str
    refund: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTier:
    """`due` is when the review was set for, which tells whether another was set since."""

    customer_id: str
    due: datetime


@dataclass(frozen=True, slots=True)
class Customers:
    """The use cases of Customers. `review_after` is how long after its last change a tier is looked at again."""

    customers: Repository[Customer]
    rows: View[CustomerRow]
    happenings: View[Happening]
    personal_data: PersonalData
    clock: Clock
    review_after: timedelta

    async def register_customer(self, command: RegisterCustomer) -> Committed[Customer]:
        """Registers a customer."""
        ref = await self._private_ref(command)
        now = self.clock.now()
        return await self.customers.add(
            command.customer_id, lambda customer: customer.register(ref, now, self.review_after)
        )

    async def change_tier(self, command: ChangeTier) -> Committed[Customer]:
        """Promotes or downgrades a customer by hand."""
        now = self.clock.now()
        return await self.customers.change(
            command.customer_id,
            lambda customer: customer.change_tier(command.tier, command.reason, now, self.review_after),
        )

    async def forget_customer(self, command: ForgetCustomer) -> Committed[Customer]:
        """Erases what is known of the person, and then notes it: a crash in between is mended by a repeat."""
        await self._registered(command.customer_id)
        await self.personal_data.erase(command.customer_id)
        now = self.clock.now()
        return await self.customers.change(command.customer_id, lambda customer: customer.forget(now))

    async def note_purchase(self, command: NotePurchase) -> Committed[Customer]:
        """Counts a completed order, also of somebody who is not registered yet."""
        now = self.clock.now()
        return await self.customers.add(
            command.customer_id, lambda customer: customer.note_purchase(command.purchase, now, self.review_after)
        )

    async def note_return(self, command: NoteReturn) -> Committed[Customer]:
        """Takes what was given back off the purchases."""
        returned = Return(
            return_id=command.return_id,
            order_id=command.order_id,
            amount=command.refund,
            noted_at=self.clock.now(),
        )
        return await self.customers.add(command.customer_id, lambda customer: customer.note_return(returned))

    async def review_tier(self, command: ReviewTier) -> Committed[Customer]:
        """Looks whether a customer's tier is still earned."""
        now = self.clock.now()
        return await self.customers.change(
            command.customer_id, lambda customer: customer.review(command.due, now, self.review_after)
        )

    async def get_customer(self, customer_id: str) -> tuple[Committed[Customer], Mapping[str, str]]:
        """Returns one customer, with `name` and `email` unless they are erased."""
        found = await self._registered(customer_id)
        ref = found.state.private_ref
        return found, (await self.personal_data.find(ref) if ref else None) or {}

    async def get_history(
        self, customer_id: str, *, size: int = 0, after: Key | None = None, not_before: str = ""
    ) -> tuple[list[Happening], Key | None]:
        """Returns a page of what happened to a customer, the latest first, and where the next page starts."""
        where = {"customer_id": customer_id}
        return await self.happenings.page(where, after=after, limit=size, not_before=not_before)

    async def list_customers(
        self, tier: Tier | None = None, *, size: int = 0, after: Key | None = None, not_before: str = ""
    ) -> tuple[list[CustomerRow], Key | None]:
        """Returns a page of customers by id, and where the next page starts."""
        where = {} if tier is None else {"tier": tier.value}
        return await self.rows.page(where, after=after, limit=size, not_before=not_before)

    async def _registered(self, customer_id: str) -> Committed[Customer]:
        found = await self.customers.get(customer_id)
        found.state.must_be_registered()
        return found

    async def _private_ref(self, command: RegisterCustomer) -> str:
        """Keeps the personal data, unless the customer is registered: they may have been forgotten since."""
        try:
            return (await self._registered(command.customer_id)).state.private_ref
        except NotFound:
            return await self.personal_data.keep(command.customer_id, {"name": command.name, "email": command.email})


def set_review(customer: Customer, event: CustomerEvent) -> Iterator[Call]:
    """Policy: a tier is looked at again, some time after it was given or looked at."""
    match event:
        case CustomerRegistered() | CustomerPromoted() | CustomerDowngraded() | TierKept():
            yield Call(ReviewTier(customer_id=customer.id, due=event.review_at), due=event.review_at)
        case PurchaseNoted() | ReturnNoted() | CustomerForgotten():
            return
