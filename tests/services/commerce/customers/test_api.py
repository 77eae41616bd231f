"""Customers over gRPC, and what Ordering tells of them."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from commerce.customers.v1 import customers_events_pb2 as events
from commerce.customers.v1 import customers_service_pb2 as pb
from commerce.customers.v1.customers_service_pb2_grpc import CustomersServiceStub
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.clock import SystemClock
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.samples import envelope
from treaty.testing.world import SeededIds, World, embedded

from tests.services.clients import money

UUID = "11111111-2222-4333-8444-555555555555"
INVALID, REFUSED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
CONTEXT = "commerce.customers"
PERSON = {"name": "Ann Smith", "email": "ann.smith@example.com"}

KNOWN: dict[str, dict[str, Any]] = {
    "RegisterCustomer": {"request_id": UUID, "customer_id": "ann", **PERSON},
    "ChangeTier": {"request_id": UUID, "customer_id": "ann", "tier": events.TIER_VIP, "reason": "a friend"},
    "ForgetCustomer": {"request_id": UUID, "customer_id": "ann"},
    "GetCustomer": {"customer_id": "ann"},
    "GetCustomerHistory": {"customer_id": "ann"},
    "ListCustomers": {},
}


class Desk:
    """A client of Customers, and the voice of Ordering."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = SeededIds("requests")
        self._stub: Any = CustomersServiceStub(world.channel)

    async def ask(self, method: str, **changes: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**{**KNOWN[method], **changes})
        return await getattr(self._stub, method)(request, timeout=TIMEOUT)

    async def register(self, customer_id: str) -> Any:
        return await self.ask("RegisterCustomer", request_id=self.ids.new(), customer_id=customer_id)

    def completed(self, order_id: str, amount: int = 1000, customer_id: str = "ann") -> None:
        """Tells that an order was completed just now."""
        now = Timestamp()
        now.FromDatetime(SystemClock().now())
        event = ordering.OrderCompleted(
            order_id=order_id, customer_id=customer_id, total=money(amount), completed_at=now
        )
        self._tell(event, f"order-{order_id}@3#1", order_id)

    def returned(self, order_id: str, amount: int) -> None:
        event = ordering.OrderReturned(
            order_id=order_id, customer_id="ann", return_id=f"return-{order_id}", refund=money(amount)
        )
        self._tell(event, f"order-{order_id}@4#1", order_id)

    def _tell(self, event: Any, id: str, key: str) -> None:
        told = envelope(
            "commerce.ordering", id, key=key, type=event.DESCRIPTOR.full_name, body=event.SerializeToString()
        )
        self.world.broker.deliver(CONTEXT, told)

    async def settled(self) -> None:
        await eventually(self.world.is_settled)

    async def tier(self) -> Any:
        return (await self.ask("GetCustomer")).customer.tier

    async def kinds(self, **wanted: Any) -> list[Any]:
        return [happening.kind for happening in (await self.ask("GetCustomerHistory", **wanted)).happenings]

    @property
    def commits(self) -> list[Any]:
        return list(self.world.stores[CONTEXT].commits.commits)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with embedded(CONTEXT) as world:
        yield Desk(world)


async def test_a_customer_registers_and_is_read(desk: Desk) -> None:
    registered = await desk.ask("RegisterCustomer")
    assert (registered.customer.tier, registered.revision) == (events.TIER_STANDARD, "customer-ann@1")
    assert registered.customer.review_at.seconds - registered.customer.registered_at.seconds == 365 * 86_400
    read = await desk.ask("GetCustomer")
    assert read == pb.GetCustomerResponse(customer=registered.customer, revision=registered.revision, **PERSON)


async def test_a_repeated_registration_takes_effect_once(desk: Desk) -> None:
    first = await desk.ask("RegisterCustomer")
    await desk.ask("ChangeTier")
    assert await desk.ask("RegisterCustomer") == first
    assert len(desk.commits) == 2


async def test_a_customer_id_is_registered_once(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    again = {"request_id": desk.ids.new(), "name": "Eve", "email": "eve@example.com"}
    refused = await refusal(desk.ask("RegisterCustomer", **again))
    assert (refused.code, refused.reason, refused.domain) == (REFUSED, "CUSTOMER_REGISTERED_ALREADY", CONTEXT)
    assert (await desk.ask("GetCustomer")).name == "Ann Smith"


async def test_nothing_personal_is_ever_committed(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    await desk.ask("ChangeTier")
    await desk.ask("ForgetCustomer")
    kept = repr(desk.commits)
    assert "customer-ann" in kept
    assert not [value for value in PERSON.values() if value in kept]


async def test_a_forgotten_customer_keeps_the_tier_and_nothing_else(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    await desk.ask("ChangeTier")
    forgotten = await desk.ask("ForgetCustomer")
    assert (forgotten.customer.forgotten, forgotten.customer.tier) == (True, events.TIER_VIP)
    read = await desk.ask("GetCustomer")
    assert (read.customer, read.name, read.email) == (forgotten.customer, "", "")
    assert await desk.ask("ForgetCustomer") == forgotten


async def test_each_request_to_forget_a_customer_is_announced_and_a_repeat_is_not(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    for request_id in (UUID, UUID, desk.ids.new()):
        await desk.ask("ForgetCustomer", request_id=request_id)
    await desk.settled()
    told = [event for event in desk.world.broker.published if event.type.endswith("CustomerForgotten")]
    assert len(told) == 2
    for one in told:
        forgotten = events.CustomerForgotten.FromString(one.body)
        assert (forgotten.customer_id, forgotten.HasField("forgotten_at")) == ("ann", True)
        assert not [value for value in PERSON.values() if value.encode() in one.body]


async def test_a_late_repeat_of_the_registration_does_not_bring_back_who_was_forgotten(desk: Desk) -> None:
    first = await desk.ask("RegisterCustomer")
    await desk.ask("ForgetCustomer")
    assert await desk.ask("RegisterCustomer") == first
    await refusal(desk.ask("RegisterCustomer", request_id=desk.ids.new()))
    assert (await desk.ask("GetCustomer")).name == ""
    assert await desk.world.stores[CONTEXT].personal_data.erase("ann") == 0


async def test_completed_orders_promote_at_once(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    for number in range(5):
        desk.completed(f"o-{number}")
    await desk.settled()
    assert await desk.tier() == events.TIER_GOLD
    [told] = [event for event in desk.world.broker.published if event.type.endswith("CustomerTierChanged")]
    changed = events.CustomerTierChanged.FromString(told.body)
    assert (changed.previous_tier, changed.new_tier) == (events.TIER_STANDARD, events.TIER_GOLD)
    assert (changed.customer_id, changed.reason) == ("ann", "5 orders in a year")


async def test_an_order_that_is_told_twice_counts_once(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    desk.world.broker.twice = True
    for number in range(4):
        desk.completed(f"o-{number}")
    await desk.settled()
    assert await desk.tier() == events.TIER_STANDARD
    assert len(desk.commits[-1].state["data"]["purchases"]) == 4


async def test_orders_before_the_registration_count_when_it_comes(desk: Desk) -> None:
    desk.returned("o-2", 1000)
    desk.completed("o-1", 200_000)
    await desk.settled()
    assert (await refusal(desk.ask("GetCustomer"))).code is grpc.StatusCode.NOT_FOUND
    registered = await desk.ask("RegisterCustomer")
    assert registered.customer.tier == events.TIER_VIP
    assert (await desk.ask("GetCustomer")).name == "Ann Smith"


async def test_the_orders_of_guests_leave_no_trace(desk: Desk) -> None:
    desk.completed("o-1", customer_id="")
    await desk.settled()
    assert desk.commits == []


async def test_what_happened_to_a_customer_is_listed_page_by_page_the_latest_first(desk: Desk) -> None:
    await desk.ask("RegisterCustomer")
    desk.completed("o-1", 50_000)
    await desk.settled()
    desk.returned("o-1", 20_000)
    await desk.settled()
    seen = (await desk.ask("ForgetCustomer")).revision
    history = (await desk.ask("GetCustomerHistory", not_before=seen)).happenings
    times = [happening.at.ToNanoseconds() for happening in history]
    by_kind = {happening.kind: happening for happening in history}
    assert times == sorted(times, reverse=True)
    assert len(history) == len(by_kind) == 5
    assert by_kind[pb.HAPPENING_KIND_PURCHASE].amount == money(50_000)
    returned = by_kind[pb.HAPPENING_KIND_RETURN]
    assert (returned.order_id, returned.amount) == ("o-1", money(20_000))
    promotion = by_kind[pb.HAPPENING_KIND_PROMOTION]
    assert (promotion.previous_tier, promotion.new_tier) == (events.TIER_STANDARD, events.TIER_GOLD)
    assert promotion.reason == "500.00 GBP in a year"
    page = await desk.ask("GetCustomerHistory", page_size=3)
    rest = await desk.ask("GetCustomerHistory", page_size=3, page_token=page.next_page_token)
    assert ([*page.happenings, *rest.happenings], rest.next_page_token) == (list(history), "")
    assert await desk.kinds(customer_id="bob") == []


async def test_customers_are_listed_by_tier(desk: Desk) -> None:
    for customer_id in ["cid", "ann", "bob"]:
        await desk.register(customer_id)
    seen = (await desk.ask("ChangeTier")).revision
    every = (await desk.ask("ListCustomers", not_before=seen)).customers
    assert [customer.customer_id for customer in every] == ["ann", "bob", "cid"]
    [vip] = (await desk.ask("ListCustomers", tier=events.TIER_VIP)).customers
    assert (vip.customer_id, vip.tier) == ("ann", events.TIER_VIP)
    page = await desk.ask("ListCustomers", page_size=2)
    rest = await desk.ask("ListCustomers", page_size=2, page_token=page.next_page_token)
    assert [customer.customer_id for customer in rest.customers] == ["cid"]


@pytest.mark.slow
async def test_a_tier_that_is_not_earned_is_taken_back_by_the_review() -> None:
    async with embedded(CONTEXT, environ={"CUSTOMERS_REVIEW_DAYS": "0.000003"}) as world:
        desk = Desk(world)
        await desk.ask("RegisterCustomer")
        await desk.ask("ChangeTier")
        await eventually(lambda: _is_downgraded(desk))
        down = next(
            happening
            for happening in (await desk.ask("GetCustomerHistory")).happenings
            if happening.kind == pb.HAPPENING_KIND_DOWNGRADE
        )
        assert (down.previous_tier, down.new_tier) == (events.TIER_VIP, events.TIER_STANDARD)
        assert down.reason == "only 0 orders in a year"
        assert await desk.tier() == events.TIER_STANDARD


async def _is_downgraded(desk: Desk) -> bool:
    return pb.HAPPENING_KIND_DOWNGRADE in await desk.kinds()


@pytest.mark.parametrize("method", ["ChangeTier", "ForgetCustomer", "GetCustomer"])
async def test_who_is_not_registered_is_not_found(desk: Desk, method: str) -> None:
    assert (await refusal(desk.ask(method))).code is grpc.StatusCode.NOT_FOUND


async def test_what_a_registration_that_was_not_carried_out_has_left_is_erased(desk: Desk) -> None:
    kept = desk.world.stores[CONTEXT].personal_data
    await kept.keep("ann", {"name": "Ann"})
    assert (await refusal(desk.ask("ForgetCustomer"))).code is grpc.StatusCode.NOT_FOUND
    assert await kept.erase("ann") == 0


@pytest.mark.parametrize(
    ("method", "changes", "field"),
    [
        ("RegisterCustomer", {"request_id": ""}, "request_id"),
        ("RegisterCustomer", {"customer_id": ""}, "customer_id"),
        ("RegisterCustomer", {"customer_id": "a b"}, "customer_id"),
        ("RegisterCustomer", {"customer_id": "a/b"}, "customer_id"),
        ("RegisterCustomer", {"name": ""}, "name"),
        ("RegisterCustomer", {"email": "nobody"}, "email"),
        ("ChangeTier", {"tier": events.TIER_UNSPECIFIED}, "tier"),
        ("ChangeTier", {"tier": 9}, "tier"),
        ("ChangeTier", {"reason": ""}, "reason"),
        ("ForgetCustomer", {"request_id": "42"}, "request_id"),
        ("GetCustomer", {"customer_id": "x" * 65}, "customer_id"),
        ("GetCustomerHistory", {"page_token": "nonsense"}, "page_token"),
        ("GetCustomerHistory", {"not_before": "nonsense"}, "not_before"),
        ("ListCustomers", {"page_size": -1}, "page_size"),
        ("ListCustomers", {"tier": 9}, "tier"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(desk: Desk, method: str, changes: Any, field: str) -> None:
    refused = await refusal(desk.ask(method, **changes))
    assert (refused.code, list(refused.fields)) == (INVALID, [field])
