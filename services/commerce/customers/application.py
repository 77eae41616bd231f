"""The use cases of Customers, with their commands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import ERASED_AGAIN, PersonalData
from treaty.projections import FIRST, Key, Page, View

from services.commerce.customers.domain.customer import Customer
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
from services.commerce.customers.domain.tiers import Purchase, Return, Tier
from services.commerce.customers.projections import CustomerRow, Happening
from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCustomer:
    """`name` and `email` are personal data: they are stored beside the commit log and never committed."""

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
class ErasePersonalData:
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
    """`due` is the time that the review was set for. It shows whether another review was set later."""

    customer_id: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GetHistory:
    customer_id: str
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCustomers:
    """Customers of one tier, or of all."""

    tier: Tier | None = None
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """The use cases of Customers. `review_after` is the time between the last change of a tier and its review."""

    customers: Repository[Customer]
    customer_rows: View[CustomerRow]
    happenings: View[Happening]
    personal_data: PersonalData
    clock: Clock
    review_after: timedelta

    async def register_customer(self, command: RegisterCustomer) -> Committed[Customer]:
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
        """Records and announces the erasure, and then erases the personal data.

        A registration that was refused may have left data too, so they are erased also if nobody is registered.
        """
        now = self.clock.now()
        try:
            return await self.customers.change(command.customer_id, lambda customer: customer.forget(now))
        finally:
            await self.personal_data.erase(command.customer_id)

    async def erase_personal_data(self, command: ErasePersonalData) -> None:
        """Erases what a registration beside the erasure may have stored after it."""
        await self.personal_data.erase(command.customer_id)

    async def note_purchase(self, command: NotePurchase) -> Committed[Customer]:
        """Counts a completed order, even if its customer is not registered yet."""
        now = self.clock.now()
        return await self.customers.add(
            command.customer_id, lambda customer: customer.note_purchase(command.purchase, now, self.review_after)
        )

    async def note_return(self, command: NoteReturn) -> Committed[Customer]:
        """Subtracts a refund from the purchases."""
        returned = Return(
            return_id=command.return_id,
            order_id=command.order_id,
            amount=command.refund,
            noted_at=self.clock.now(),
        )
        return await self.customers.add(command.customer_id, lambda customer: customer.note_return(returned))

    async def review_tier(self, command: ReviewTier) -> Committed[Customer]:
        """Checks whether a customer's tier is still earned, and downgrades the customer if it is not."""
        now = self.clock.now()
        return await self.customers.change(
            command.customer_id, lambda customer: customer.review(command.due, now, self.review_after)
        )

    async def get_customer(self, customer_id: str) -> tuple[Committed[Customer], Mapping[str, str]]:
        """Returns one customer, and `name` and `email` unless they are erased."""
        found = await self._registered(customer_id)
        ref = found.state.private_ref
        return found, (await self.personal_data.find(ref) if ref else None) or {}

    async def get_history(self, query: GetHistory) -> tuple[list[Happening], Key | None]:
        """Returns a page of a customer's history, latest first, and the key of the next page, or None at the end."""
        return await self.happenings.page({"customer_id": query.customer_id}, query.page)

    async def list_customers(self, query: ListCustomers) -> tuple[list[CustomerRow], Key | None]:
        """Returns a page of customers, sorted by id, and the key of the next page, or None at the end."""
        where = {} if query.tier is None else {"tier": query.tier.value}
        return await self.customer_rows.page(where, query.page)

    async def _registered(self, customer_id: str) -> Committed[Customer]:
        found = await self.customers.get(customer_id)
        found.state.must_be_registered()
        return found

    async def _private_ref(self, command: RegisterCustomer) -> str:
        """Stores the personal data and returns its reference.

        Stores nothing if the customer is registered already, because the data may have been erased since.
        """
        try:
            return (await self._registered(command.customer_id)).state.private_ref
        except NotFound:
            return await self.personal_data.keep(command.customer_id, {"name": command.name, "email": command.email})


def set_timers(customer: Customer, event: CustomerEvent) -> Iterator[Call]:
    """Policy: sets the next review of a tier after each change and each review of it, and the second erasure."""
    match event:
        case CustomerRegistered() | CustomerPromoted() | CustomerDowngraded() | TierKept():
            yield Call(ReviewTier(customer_id=customer.id, due=event.review_at), due=event.review_at)
        case CustomerForgotten():
            yield Call(ErasePersonalData(customer_id=customer.id), after=ERASED_AGAIN)
        case PurchaseNoted() | ReturnNoted():
            return
