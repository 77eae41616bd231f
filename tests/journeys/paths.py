"""Every path an order can take through the seven contexts; in memory and on the real servers alike.

Override the fixture `shop`. Amounts end in the digits that make the simulated gateway behave as the path needs, postal
codes in the letters that make the carrier do.
"""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers_events
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.notifications.v1 import notifications_service_pb2 as notifications
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.payments.v1 import payments_service_pb2 as payments
from commerce.shipping.v1 import shipping_service_pb2 as shipping
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.testing.clients import refusal

from scripts.lib.demo.places import Pace
from tests.journeys.shop import Shop, address, gbp, new_id

PENDING, CONFIRMED = ordering.ORDER_STATUS_PENDING, ordering.ORDER_STATUS_CONFIRMED
DISPATCHED, COMPLETED = ordering.ORDER_STATUS_DISPATCHED, ordering.ORDER_STATUS_COMPLETED
CANCELLED, CANCELLING = ordering.ORDER_STATUS_CANCELLED, ordering.ORDER_STATUS_CANCELLING

PACE = Pace(gateway=1.0, late=2.5, carrier=0.3)
SETTINGS = {"ORDERING_ANSWER_SECONDS": "30", "INVENTORY_ALLOCATION_SECONDS": "900", "TREATY_LEASE_SECONDS": "2"}
IMPATIENT = {**SETTINGS, "INVENTORY_ALLOCATION_SECONDS": "0.5"}


class Paths:
    """The suite."""

    @pytest.fixture
    def shop(self) -> Shop:
        """Returns a shop that runs."""
        raise NotImplementedError("say where the shop runs")

    async def test_an_order_is_delivered_paid_and_told_of(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 10)
        order_id = await shop.buy(sku, 1000, pieces=2, customer=customer)
        order = await shop.reaches(order_id, COMPLETED)
        assert (order.total, order.carrier != "", order.tracking_number != "") == (gbp(2400), True, True)
        assert (await shop.payment(order_id)).status == payments.PAYMENT_STATUS_CAPTURED
        await shop.balanced()
        assert await shop.began(order_id) == {order_id}, "the reports of the carrier continue what the order began"
        item = await shop.stock(sku)
        assert (item.on_hand, item.reserved) == (8, 0)
        subjects = " | ".join(await shop.subjects(customer)).lower()
        for word in ("placed", "confirmed", "way", "delivered"):
            assert word in subjects, subjects

    async def test_an_order_that_is_out_of_stock_is_cancelled_and_its_money_given_up(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 1)
        order = await shop.reaches(await shop.buy(sku, 1000, pieces=3), CANCELLED)
        assert order.reason.startswith("out of stock")
        await shop.balanced()

    async def test_an_order_that_no_warehouse_has_alone_is_sent_from_several_and_comes_back_to_them(
        self, shop: Shop
    ) -> None:
        sku = await shop.sell(1000, 3)
        await shop.receive(sku, 3, "north")
        order_id = await shop.buy(sku, 1000, pieces=4)
        await shop.reaches(order_id, COMPLETED)
        sent = [(line.warehouse, line.quantity) for line in (await shop.shipment(order_id)).lines]
        assert sent == [("main", 3), ("north", 1)]
        await shop.balanced()
        await self._returned(shop, order_id, sku, 4)
        await shop.balanced()
        assert [(await shop.stock(sku, name)).on_hand for name in ("main", "north")] == [3, 3]

    async def test_a_declined_payment_cancels_the_order_and_frees_its_stock(self, shop: Shop) -> None:
        sku = await shop.sell(1013, 5)
        order = await shop.reaches(await shop.buy(sku, 1013), CANCELLED)
        assert order.reason == "payment failed: declined by the bank"
        await shop.balanced()

    async def test_the_payment_method_of_the_customer_is_charged(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 5)
        await shop.pay_by(customer, "tok_1")
        order_id = await shop.buy(sku, 1000, customer=customer)
        await shop.reaches(order_id, COMPLETED)
        assert (await shop.payment(order_id)).method == "card tok_1"
        await shop.pay_by(customer, "tok_declined")
        order = await shop.reaches(await shop.buy(sku, 1000, customer=customer), CANCELLED)
        assert order.reason == "payment failed: declined by the bank"
        await shop.balanced()

    async def test_an_order_of_a_customer_whose_payment_method_has_expired_is_cancelled(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 5)
        await shop.pay_by(customer, "tok_1", expires_at=Timestamp(seconds=1))
        order = await shop.reaches(await shop.buy(sku, 1000, customer=customer), CANCELLED)
        assert order.reason == "payment failed: the payment method has expired"
        await shop.pay_by(customer, "tok_2")
        await shop.reaches(await shop.buy(sku, 1000, customer=customer), COMPLETED)
        await shop.balanced()

    async def test_a_gateway_that_is_silent_cancels_the_order_and_holds_nothing(self, shop: Shop) -> None:
        sku = await shop.sell(1017, 5)
        order = await shop.reaches(await shop.buy(sku, 1017), CANCELLED)
        assert order.reason == "payment failed: the gateway did not answer in time"
        await shop.balanced()

    async def test_an_approval_that_comes_too_late_holds_nothing(self, shop: Shop) -> None:
        sku = await shop.sell(1019, 5)
        order_id = await shop.buy(sku, 1019)
        await shop.reaches(order_id, CANCELLED)
        await asyncio.sleep(PACE.late)  # the gateway's answer is under way; nothing tells when it was dropped
        await shop.balanced()

    async def test_a_verdict_that_is_called_back_later_counts(self, shop: Shop) -> None:
        approved, declined = await shop.sell(1029, 5), await shop.sell(1031, 5)
        yes, no = await shop.buy(approved, 1029), await shop.buy(declined, 1031)
        assert (await shop.reaches(yes, COMPLETED)).total == gbp(1429)
        assert (await shop.reaches(no, CANCELLED)).reason.startswith("payment failed")
        await shop.balanced()
        assert (await shop.began(yes), await shop.began(no)) == ({yes}, {no})

    async def test_a_draft_is_cancelled_at_once(self, shop: Shop) -> None:
        request = ordering.StartDraftRequest(request_id=new_id())
        draft = (await shop.ask("ordering", "StartDraft", request)).order
        assert (await shop.cancel(draft.order_id)).status == CANCELLED

    async def test_a_pending_order_is_cancelled_at_once_and_everything_is_given_back(self, shop: Shop) -> None:
        sku = await shop.sell(1029, 5)
        order_id = await shop.buy(sku, 1029)
        assert (await shop.cancel(order_id)).status == CANCELLED
        await asyncio.sleep(PACE.late)  # the gateway calls back; nothing tells when that was dropped
        await shop.balanced()

    async def test_a_confirmed_order_is_cancelled_once_its_shipment_is_stopped(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000, postal_code="99HLD")
        await shop.reaches(order_id, CONFIRMED)
        assert (await shop.cancel(order_id)).status == CANCELLING
        await shop.reaches(order_id, CANCELLED)
        await shop.balanced()

    async def test_a_shipment_that_is_stopped_in_shipping_cancels_its_order_and_refunds_it(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000, postal_code="99HLD")
        await shop.eventually(lambda: self._is_prepared(shop, order_id))
        stop = shipping.CancelShipmentRequest(request_id=new_id(), order_id=order_id, reason="broken goods")
        await shop.ask("shipping", "CancelShipment", stop)
        order = await shop.reaches(order_id, CANCELLED)
        assert order.reason == "its shipment was stopped: broken goods"
        await shop.balanced()
        assert (await shop.payment(order_id)).status == payments.PAYMENT_STATUS_REFUNDED

    @staticmethod
    async def _is_prepared(shop: Shop, order_id: str) -> bool:
        """Returns whether Shipping has booked the parcel."""
        with suppress(grpc.aio.AioRpcError):
            return bool((await shop.shipment(order_id)).status == shipping.SHIPMENT_STATUS_BOOKED)
        return False

    async def test_an_order_that_has_left_is_not_cancelled(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000)
        order = await shop.reaches(order_id, DISPATCHED, COMPLETED)
        refused = await refusal(shop.cancel(order_id))
        reasons = {"ORDER_DISPATCHED", "ORDER_COMPLETED"}
        assert (refused.code, refused.reason in reasons) == (grpc.StatusCode.FAILED_PRECONDITION, True), order
        await shop.reaches(order_id, COMPLETED)
        await shop.balanced()

    async def test_a_parcel_with_an_exception_still_arrives(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000, customer=customer, postal_code="99EXC")
        await shop.reaches(order_id, COMPLETED)
        await shop.balanced()
        assert any("delayed" in subject for subject in await shop.subjects(customer))

    async def test_a_parcel_that_is_returned_to_its_sender_cancels_the_order_and_refunds_it(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000, postal_code="99RTS")
        order = await shop.reaches(order_id, CANCELLED)
        assert order.reason.startswith("it could not be delivered")
        await shop.balanced()
        assert (await shop.payment(order_id)).status == payments.PAYMENT_STATUS_REFUNDED

    @pytest.mark.parametrize("postal_code", ["99ODD", "99TWC", "99BSY"])
    async def test_a_carrier_that_is_odd_repeats_itself_or_is_busy_delivers_all_the_same(
        self, shop: Shop, postal_code: str
    ) -> None:
        sku = await shop.sell(1000, 5)
        await shop.reaches(await shop.buy(sku, 1000, postal_code=postal_code), COMPLETED)
        await shop.balanced()

    async def test_an_address_that_is_never_served_cancels_the_order(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        await shop.reaches(await shop.buy(sku, 1000, postal_code="99BAD"), CANCELLED)
        await shop.balanced()

    async def test_delivered_goods_come_back_in_parts_into_stock_and_their_money_too(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 10)
        order_id = await shop.buy(sku, 1000, pieces=3, customer=customer)
        await shop.reaches(order_id, COMPLETED)
        await self._returned(shop, order_id, sku, 1)
        await shop.balanced()
        assert (await shop.stock(sku)).on_hand == 8
        await self._returned(shop, order_id, sku, 2)
        await shop.balanced()
        assert (await shop.stock(sku)).on_hand == 10
        payment = await shop.payment(order_id)
        assert payment.refunded == gbp(3000), "the delivery is not given back"
        assert any("return" in subject.lower() for subject in await shop.subjects(customer))

    @staticmethod
    async def _returned(shop: Shop, order_id: str, sku: str, pieces: int) -> None:
        request = ordering.RequestReturnRequest(
            request_id=new_id(),
            order_id=order_id,
            pieces=[ordering.Pieces(sku=sku, quantity=pieces)],
            reason="too blue",
        )
        order = (await shop.ask("ordering", "RequestReturn", request)).order
        return_id = order.returns[-1].return_id
        arrived = ordering.ReceiveReturnRequest(request_id=new_id(), order_id=order_id, return_id=return_id)
        await shop.ask("ordering", "ReceiveReturn", arrived)

        async def done() -> bool:
            returns = {one.return_id: one.status for one in (await shop.order(order_id)).returns}
            return returns[return_id] == ordering.RETURN_STATUS_COMPLETED

        await shop.eventually(done)

    async def test_a_refund_for_goodwill_is_one_of_the_order_and_begins_no_return(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        order_id = await shop.buy(sku, 1000)
        await shop.reaches(order_id, COMPLETED)
        goodwill = payments.RefundPaymentRequest(
            request_id=new_id(), order_id=order_id, refund_id=new_id(), amount=gbp(300)
        )
        await shop.ask("payments", "RefundPayment", goodwill)

        async def noted() -> list[Any]:
            return list((await shop.order(order_id)).refunds)

        (refund,) = await shop.eventually(noted)
        assert (refund.refund_id, refund.amount) == (goodwill.refund_id, gbp(300))
        await shop.balanced()
        runs = await shop.place.stores["commerce.ordering"].log.under(f"return-{goodwill.refund_id}")
        assert not runs, "a refund that is no return's has no run of the return saga"

    async def test_a_price_that_changed_while_ordering_is_refused_with_the_new_one(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        await shop.change_price(sku, 1100)
        refused = await refusal(shop.buy(sku, 1000))
        assert (refused.reason, refused.metadata) == ("PRICE_CHANGED", {sku: "1100"})
        assert (await shop.reaches(await shop.buy(sku, 1100), COMPLETED)).total == gbp(1500)
        await shop.balanced()

    async def test_a_discontinued_product_is_not_sold_any_more(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 5)
        gone = catalog.DiscontinueProductRequest(request_id=new_id(), sku=sku, reason="out of fashion")
        await shop.ask("catalog", "DiscontinueProduct", gone)

        async def refused() -> bool:
            line = ordering.OrderLine(sku=sku, quantity=1, unit_price=gbp(1))
            asked = ordering.PlaceOrderRequest(request_id=new_id(), lines=[line], address=address())
            return (await refusal(shop.ask("ordering", "PlaceOrder", asked))).reason == "NOT_OFFERED"

        await shop.eventually(refused)

    async def test_a_discontinued_product_is_reordered_in_no_warehouse(self, shop: Shop) -> None:
        sku = await shop.sell(1000, 3)
        await shop.receive(sku, 3, "north")
        for warehouse in ("main", "north"):
            manage = inventory.ManageItemRequest(
                request_id=new_id(), sku=sku, warehouse=warehouse, reorder_point=5, reorder_quantity=9
            )
            await shop.ask("inventory", "ManageItem", manage)

        async def low() -> list[str]:
            found = await shop.ask("inventory", "ListStock", inventory.ListStockRequest(sku=sku, to_reorder=True))
            return [item.warehouse for item in found.items]

        async def nowhere() -> bool:
            return not await low()

        async def everywhere() -> bool:
            return await low() == ["main", "north"]

        await shop.eventually(everywhere)
        gone = catalog.DiscontinueProductRequest(request_id=new_id(), sku=sku, reason="out of fashion")
        await shop.ask("catalog", "DiscontinueProduct", gone)
        await shop.eventually(nowhere)
        await shop.balanced()

    async def test_a_customer_who_is_forgotten_has_no_address_left_anywhere(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(1000, 10)
        register = payments.RegisterMethodRequest(
            request_id=new_id(), customer_id=customer, token="tok_1", label="card"
        )
        await shop.ask("payments", "RegisterMethod", register)
        order_id = await shop.buy(sku, 1000, customer=customer)
        await shop.reaches(order_id, COMPLETED)
        where = ordering.GetDeliveryRequest(order_id=order_id)
        assert (await shop.ask("ordering", "GetDelivery", where)).HasField("address")

        forget = customers.ForgetCustomerRequest(request_id=new_id(), customer_id=customer)
        await shop.ask("customers", "ForgetCustomer", forget)
        subscribe = notifications.SubscribeRequest(request_id=new_id(), customer_id=customer, email="a@example.com")
        review = catalog.SubmitReviewRequest(
            request_id=new_id(), sku=sku, author=customer, rating=5, title="Good", text="Bought by Ann Example"
        )
        asked = (
            ("catalog", "SubmitReview", review, "CUSTOMER_FORGOTTEN"),
            ("ordering", "GetDelivery", where, "ADDRESS_ERASED"),
            ("notifications", "Subscribe", subscribe, "CUSTOMER_FORGOTTEN"),
            ("payments", "RegisterMethod", register, "CUSTOMER_FORGOTTEN"),
        )
        for context, method, request, reason in asked:

            async def refused(context: str = context, method: str = method, request: Any = request) -> str:
                """Returns why the call is refused; until the event has arrived, it is not."""
                if hasattr(request, "request_id"):
                    request.request_id = new_id()
                with suppress(AssertionError):
                    return (await refusal(shop.ask(context, method, request))).reason
                return ""

            assert await shop.eventually(refused) == reason
        assert (await refusal(shop.buy(sku, 1000, customer=customer))).reason == "CUSTOMER_FORGOTTEN"

    async def test_a_customer_who_buys_a_lot_is_promoted_and_then_delivered_free(self, shop: Shop) -> None:
        customer, sku = await shop.join(), await shop.sell(60_000, 10)
        await shop.reaches(await shop.buy(sku, 60_000, customer=customer), COMPLETED)

        async def promoted() -> bool:
            asked = customers.GetCustomerRequest(customer_id=customer)
            found = await shop.ask("customers", "GetCustomer", asked)
            return bool(found.customer.tier == customers_events.TIER_GOLD)

        await shop.eventually(promoted)
        cheap = await shop.sell(1000, 5)

        async def treated() -> bool:
            order = await shop.order(await shop.buy(cheap, 1000, customer=customer))
            return order.customer_tier == "gold" and order.shipping == gbp(0)

        await shop.eventually(treated)
        for order_id in shop.orders[1:]:
            await shop.reaches(order_id, COMPLETED, CANCELLED)
        await shop.balanced()


class ImpatientPaths:
    """Paths that need stock to be held for a very short time. Override the fixture `shop`."""

    @pytest.fixture
    def shop(self) -> Shop:
        """Returns a shop that holds stock for half a second."""
        raise NotImplementedError("say where the shop runs")

    async def test_an_allocation_that_expires_cancels_its_order(self, shop: Shop) -> None:
        sku = await shop.sell(1029, 5)
        order = await shop.reaches(await shop.buy(sku, 1029), CANCELLED)
        assert order.reason == "the stock was not held any longer"
        await asyncio.sleep(PACE.late)  # the gateway calls back; nothing tells when that was dropped
        await shop.balanced()
