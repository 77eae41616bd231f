"""Ordering over gRPC: answers, repeats, and wrong input refused with the field named."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.ordering.v1 import ordering_events_pb2 as ordering_events
from commerce.ordering.v1 import ordering_service_pb2 as pb
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import ManualClock, embedded

from tests.services.clients import ADDRESS, SHIPPING, Shop, line, money

UUID = "11111111-2222-4333-8444-555555555555"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def place_request(**changes: Any) -> pb.PlaceOrderRequest:
    values: dict[str, Any] = {"request_id": UUID, "customer_id": "ann", "lines": [line()], "address": ADDRESS}
    return pb.PlaceOrderRequest(**{**values, **changes})


async def test_an_order_is_placed_and_read(ordering: Shop) -> None:
    placed = await ordering.place(
        place_request(lines=[line("tea", 2, 150), line("cup", 1, 499)], total=money(799 + SHIPPING))
    )
    assert (placed.order.order_id, placed.revision) == (UUID, f"order-{UUID}@1")
    assert (placed.order.status, placed.order.total) == (pb.ORDER_STATUS_PENDING, money(799 + SHIPPING))
    assert await ordering.get(UUID) == placed.order


async def test_a_repeated_request_places_one_order_and_gets_the_same_answer(ordering: Shop) -> None:
    first = await ordering.place(place_request())
    await ordering.cancel(UUID)
    assert await ordering.place(place_request()) == first
    assert (
        len([c for c in ordering.world.stores["commerce.ordering"].commits.commits if c.stream == f"order-{UUID}"]) == 2
    )


async def test_a_reused_request_id_with_another_body_is_refused(ordering: Shop) -> None:
    await ordering.place(place_request())
    refused = await refusal(ordering.place(place_request(lines=[line(quantity=2)])))
    assert (refused.code, refused.reason, refused.domain) == (INVALID, "REQUEST_ID_REUSED", "commerce.ordering")
    assert list(refused.fields) == ["request_id"]
    assert (await ordering.get(UUID)).total == money(100 + SHIPPING)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"request_id": ""}, "request_id"),
    ({"request_id": "not-a-uuid"}, "request_id"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"customer_id": "x" * 65}, "customer_id"),
    ({"lines": []}, "lines"),
    ({"lines": [line()] * 201}, "lines"),
    ({"lines": [line("tea"), line("tea")]}, "lines"),
    ({"lines": [line(quantity=0)]}, "lines[0].quantity"),
    ({"lines": [line("tea"), line("cup", quantity=-1)]}, "lines[1].quantity"),
    ({"lines": [line(quantity=1_000_001)]}, "lines[0].quantity"),
    ({"lines": [line(sku="")]}, "lines[0].sku"),
    ({"lines": [line(sku="tea pot")]}, "lines[0].sku"),
    ({"lines": [pb.OrderLine(sku="tea", quantity=1)]}, "lines[0].unit_price"),
    ({"lines": [line(currency="XXX")]}, "lines[0].unit_price.currency"),
    ({"lines": [line(price=10**15 + 1)]}, "lines[0].unit_price.minor_units"),
    ({"lines": [line(price=-1)]}, "lines.unit_price"),
    ({"lines": [line("tea"), line("cup", currency="EUR")]}, "lines.unit_price.currency"),
    ({"address": None}, "address"),
    ({"address": pb.Address(name="Ann", line1="1", city="X", postal_code="1", country="us")}, "address.country"),
    ({"shipping_method": 9}, "shipping_method"),
    ({"total": money(99)}, "total"),
    ({"total": money(100, "EUR")}, "total"),
]


@pytest.mark.parametrize(("changes", "field"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
async def test_wrong_input_is_refused_with_the_field_named(ordering: Shop, changes: Any, field: str) -> None:
    refused = await refusal(ordering.place(place_request(**changes)))
    assert (refused.code, refused.domain) == (INVALID, "commerce.ordering")
    assert field in refused.fields, refused
    assert refused.reason
    assert not [c for c in ordering.world.stores["commerce.ordering"].commits.commits if c.stream.startswith("order-")]


async def test_a_refused_request_may_be_corrected_and_sent_again(ordering: Shop) -> None:
    assert (await refusal(ordering.place(place_request(total=money(1))))).reason == "TOTAL_DIFFERS"
    assert (await ordering.place(place_request())).order.order_id == UUID


async def test_every_wrong_field_is_named_at_once(ordering: Shop) -> None:
    refused = await refusal(ordering.place(place_request(request_id="x", lines=[line(quantity=0, sku="")])))
    assert set(refused.fields) == {"request_id", "lines[0].sku", "lines[0].quantity"}


async def test_an_order_is_cancelled_once_and_the_repeat_gets_the_same_answer(ordering: Shop) -> None:
    await ordering.place(place_request())
    request_id = ordering.ids.new()
    first = await ordering.cancel(UUID, request_id=request_id)
    assert (first.order.status, first.order.reason) == (pb.ORDER_STATUS_CANCELLED, "cancelled by the customer")
    assert await ordering.cancel(UUID, request_id=request_id) == first
    assert (await ordering.cancel(UUID)).order == first.order


@pytest.mark.parametrize("call", ["get", "cancel"])
async def test_an_unknown_order_is_not_found(ordering: Shop, call: str) -> None:
    refused = await refusal(getattr(ordering, call)(UUID))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert UUID in refused.message


@pytest.mark.parametrize("call", ["get", "cancel"])
async def test_an_id_that_is_none_is_refused(ordering: Shop, call: str) -> None:
    refused = await refusal(getattr(ordering, call)("42"))
    assert (refused.code, list(refused.fields)) == (INVALID, ["order_id"])


async def test_a_price_that_changed_is_refused_and_the_new_one_is_told(ordering: Shop) -> None:
    await ordering.offer("tea", money(120))
    await ordering.offer("cup", money(499))
    request = place_request(lines=[line("tea", 1, 100), line("cup", 1, 499)])
    refused = await refusal(ordering.ordering.PlaceOrder(request, timeout=TIMEOUT))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PRICE_CHANGED")
    assert refused.metadata == {"tea": "120"}
    request.lines[0].unit_price.minor_units = 120
    assert (await ordering.ordering.PlaceOrder(request, timeout=TIMEOUT)).order.status == pb.ORDER_STATUS_PENDING


async def test_a_repeat_gets_its_first_answer_though_the_price_has_changed_since(ordering: Shop) -> None:
    first = await ordering.place(place_request())
    await ordering.offer("tea", money(120))
    assert await ordering.ordering.PlaceOrder(place_request(), timeout=TIMEOUT) == first


async def test_what_nobody_offers_cannot_be_ordered(ordering: Shop) -> None:
    refused = await refusal(ordering.ordering.PlaceOrder(place_request(), timeout=TIMEOUT))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_OFFERED")


async def test_the_tier_of_the_customer_counts_when_the_order_is_placed(ordering: Shop) -> None:
    event = customers.CustomerTierChanged(customer_id="ann", new_tier=customers.TIER_GOLD)
    ordering.hear("commerce.ordering", "ann", event)
    await eventually(lambda: _has_commits(ordering, "buyer-ann"))
    placed = await ordering.place(place_request())
    assert (placed.order.customer_tier, placed.order.shipping) == ("gold", money(0))


async def _has_commits(shop: Shop, stream: str) -> bool:
    return bool(await shop.world.stores["commerce.ordering"].log.read(stream))


async def test_a_draft_is_changed_and_placed(ordering: Shop) -> None:
    for sku in ("tea", "cup"):
        await ordering.offer(sku, money(100))
    api = ordering.ordering
    await api.StartDraft(pb.StartDraftRequest(request_id=UUID, customer_id="ann", lines=[line("tea")]), timeout=TIMEOUT)
    change = pb.ChangeDraftRequest(
        request_id=ordering.ids.new(),
        order_id=UUID,
        set=[line("cup", 3)],
        remove=["tea"],
        shipping_method=ordering_events.SHIPPING_METHOD_EXPRESS,
        address=ADDRESS,
    )
    changed = await api.ChangeDraft(change, timeout=TIMEOUT)
    assert (changed.order.status, changed.order.next) == (pb.ORDER_STATUS_DRAFT, "place it with PlaceDraft")
    place = pb.PlaceDraftRequest(request_id=ordering.ids.new(), order_id=UUID, total=money(300 + 900))
    placed = await api.PlaceDraft(place, timeout=TIMEOUT)
    assert (placed.order.status, placed.order.total) == (pb.ORDER_STATUS_PENDING, money(1200))
    assert placed.order.next.startswith("the answers on stock and payment arrive by about ")


async def test_an_order_can_be_read_as_it_was(ordering: Shop) -> None:
    placed = await ordering.place(place_request())
    await ordering.cancel(UUID)
    read = ordering.ordering.GetOrder
    first = await read(pb.GetOrderRequest(order_id=UUID, version=1), timeout=TIMEOUT)
    assert first == pb.GetOrderResponse(order=placed.order, revision=placed.revision)
    later = pb.GetOrderRequest(order_id=UUID)
    later.moment.FromDatetime(placed.order.placed_at.ToDatetime() + timedelta(seconds=30))
    assert (await read(later, timeout=TIMEOUT)).order.status == pb.ORDER_STATUS_CANCELLED
    early = pb.GetOrderRequest(order_id=UUID)
    early.moment.FromDatetime(placed.order.placed_at.ToDatetime() - timedelta(seconds=30))
    assert (await refusal(read(early, timeout=TIMEOUT))).code is grpc.StatusCode.NOT_FOUND
    assert (await refusal(read(pb.GetOrderRequest(order_id=UUID, version=9), timeout=TIMEOUT))).code is (
        grpc.StatusCode.NOT_FOUND
    )


async def test_changes_are_streamed_as_they_happen_and_from_where_one_left_off(ordering: Shop) -> None:
    await ordering.place(place_request())
    watching = ordering.ordering.WatchOrder(pb.WatchOrderRequest(order_id=UUID), timeout=TIMEOUT)
    stream = aiter(watching)
    assert (await anext(stream)).order.status == pb.ORDER_STATUS_PENDING
    await ordering.cancel(UUID)
    assert (await anext(stream)).order.status == pb.ORDER_STATUS_CANCELLED
    watching.cancel()
    again = aiter(ordering.ordering.WatchOrder(pb.WatchOrderRequest(order_id=UUID, after_version=1), timeout=TIMEOUT))
    assert (await anext(again)).revision == f"order-{UUID}@2"


async def test_watching_an_unknown_order_is_refused(ordering: Shop) -> None:
    stream = aiter(ordering.ordering.WatchOrder(pb.WatchOrderRequest(order_id=UUID), timeout=TIMEOUT))
    assert (await refusal(anext(stream))).code is grpc.StatusCode.NOT_FOUND
    stream = aiter(ordering.ordering.WatchOrder(pb.WatchOrderRequest(order_id="42"), timeout=TIMEOUT))
    assert list((await refusal(anext(stream))).fields) == ["order_id"]


async def test_the_delivery_address_is_read_until_it_is_erased(ordering: Shop) -> None:
    await ordering.place(place_request())
    read = ordering.ordering.GetDelivery
    found = await read(pb.GetDeliveryRequest(order_id=UUID), timeout=TIMEOUT)
    assert (found.address, found.customer_id) == (ADDRESS, "ann")
    store = ordering.world.stores["commerce.ordering"]
    assert "Springfield" not in repr(store.commits.commits), "an address never enters a commit"
    await store.personal_data.erase("ann")
    assert (await refusal(read(pb.GetDeliveryRequest(order_id=UUID), timeout=TIMEOUT))).reason == "ADDRESS_ERASED"


async def test_a_forgotten_customer_has_no_address_left_and_orders_as_a_guest_from_then_on(ordering: Shop) -> None:
    first = await ordering.place(place_request())
    ordering.hear("commerce.ordering", "ann", customers.CustomerForgotten(customer_id="ann"))
    await eventually(lambda: _has_commits(ordering, "buyer-ann"))
    await ordering.settled()
    read = ordering.ordering.GetDelivery
    assert (await refusal(read(pb.GetDeliveryRequest(order_id=UUID), timeout=TIMEOUT))).reason == "ADDRESS_ERASED"

    assert await ordering.place(place_request()) == first, "a repeat gets the first answer"
    refused = await refusal(ordering.place(place_request(request_id=ordering.ids.new())))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CUSTOMER_FORGOTTEN")
    move = pb.ChangeAddressRequest(request_id=ordering.ids.new(), order_id=UUID, address=ADDRESS)
    assert (await refusal(ordering.ordering.ChangeAddress(move, timeout=TIMEOUT))).reason == "CUSTOMER_FORGOTTEN"
    assert await ordering.world.stores["commerce.ordering"].personal_data.erase("ann") == 0
    assert (await ordering.place(place_request(request_id=ordering.ids.new(), customer_id=""))).order.order_id


async def test_the_drafts_of_a_forgotten_customer_take_no_address_and_are_not_placed(ordering: Shop) -> None:
    await ordering.offer("tea", money(100))
    api = ordering.ordering
    await api.StartDraft(pb.StartDraftRequest(request_id=UUID, customer_id="ann", lines=[line()]), timeout=TIMEOUT)
    ordering.hear("commerce.ordering", "ann", customers.CustomerForgotten(customer_id="ann"))
    await eventually(lambda: _has_commits(ordering, "buyer-ann"))
    start = pb.StartDraftRequest(request_id=ordering.ids.new(), customer_id="ann", lines=[line()])
    assert (await refusal(api.StartDraft(start, timeout=TIMEOUT))).reason == "CUSTOMER_FORGOTTEN"
    change = pb.ChangeDraftRequest(request_id=ordering.ids.new(), order_id=UUID, address=ADDRESS)
    assert (await refusal(api.ChangeDraft(change, timeout=TIMEOUT))).reason == "CUSTOMER_FORGOTTEN"
    place = pb.PlaceDraftRequest(request_id=ordering.ids.new(), order_id=UUID)
    assert (await refusal(api.PlaceDraft(place, timeout=TIMEOUT))).reason == "CUSTOMER_FORGOTTEN"
    assert await ordering.world.stores["commerce.ordering"].personal_data.erase("ann") == 0


@pytest.mark.parametrize("customer_id", ["ann", ""])
async def test_an_address_is_kept_for_half_a_year(customer_id: str) -> None:
    clock = ManualClock()
    async with embedded("commerce.ordering", clock=clock) as world:
        shop = Shop(world)
        await shop.offer("tea", money(100))
        await shop.place(place_request(customer_id=customer_id))
        draft = shop.ids.new()
        api = shop.ordering
        await api.StartDraft(
            pb.StartDraftRequest(request_id=draft, customer_id=customer_id, lines=[line()]), timeout=TIMEOUT
        )
        change = pb.ChangeDraftRequest(request_id=shop.ids.new(), order_id=draft, address=ADDRESS)
        await api.ChangeDraft(change, timeout=TIMEOUT)

        clock.advance(179 * 86_400)
        found = await api.GetDelivery(pb.GetDeliveryRequest(order_id=UUID), timeout=TIMEOUT)
        assert (found.address, found.customer_id) == (ADDRESS, customer_id)
        clock.advance(2 * 86_400)
        gone = await refusal(api.GetDelivery(pb.GetDeliveryRequest(order_id=UUID), timeout=TIMEOUT))
        assert gone.reason == "ADDRESS_ERASED"

        place = pb.PlaceDraftRequest(request_id=shop.ids.new(), order_id=draft)
        refused = await refusal(api.PlaceDraft(place, timeout=TIMEOUT))
        assert (refused.reason, refused.message) == (
            "ADDRESS_MISSING",
            f"the delivery address of order {draft} was erased",
        )
        change.request_id = shop.ids.new()
        await api.ChangeDraft(change, timeout=TIMEOUT)
        clock.advance(179 * 86_400)
        assert (await api.PlaceDraft(place, timeout=TIMEOUT)).order.status == pb.ORDER_STATUS_PENDING
        clock.advance(179 * 86_400)  # from the placing of the draft on
        assert (await api.GetDelivery(pb.GetDeliveryRequest(order_id=draft), timeout=TIMEOUT)).address == ADDRESS
        place.request_id = shop.ids.new()
        clock.advance(2 * 86_400)
        assert (await refusal(api.PlaceDraft(place, timeout=TIMEOUT))).reason != "ADDRESS_MISSING"
