"""Builds the Ordering service from its parts."""

from datetime import timedelta

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.inventory.v1 import inventory_events_pb2 as inventory
from commerce.ordering.v1 import ordering_events_pb2 as events
from commerce.ordering.v1 import ordering_service_pb2_grpc as pb_grpc
from commerce.payments.v1 import payments_events_pb2 as payments
from commerce.payments.v2 import payments_events_pb2 as payments_v2
from commerce.shipping.v1 import shipping_events_pb2 as shipping
from pydantic import Field
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.commerce.ordering import acl, storage
from services.commerce.ordering.api import OrderingApi
from services.commerce.ordering.application.buyers import Buyers, EraseAddresses, erase_again
from services.commerce.ordering.application.commands import StopShipment
from services.commerce.ordering.application.offers import Offers
from services.commerce.ordering.application.orders import Ordering, follow_order
from services.commerce.ordering.application.returns import Returns
from services.commerce.ordering.clients import InventoryClient, PaymentsClient, ShippingClient
from services.commerce.ordering.publishing import publish
from services.commerce.ordering.sagas import checkout as checkouts
from services.commerce.ordering.sagas import returns as returning

ACL, SUPPLIER, LANGUAGE = Pattern.ANTI_CORRUPTION_LAYER, Pattern.CUSTOMER_SUPPLIER, Pattern.PUBLISHED_LANGUAGE


class OrderingSettings(Settings):
    """The settings of Ordering. `answer_seconds` is the time that an order waits for stock and payment."""

    answer_seconds: float = Field(60.0, alias="ORDERING_ANSWER_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(OrderingSettings)
    inventory_peer, payments_peer, shipping_peer = (
        ports.peer(f"commerce.{name}") for name in ("inventory", "payments", "shipping")
    )
    offers = Offers(
        offers=ports.repository(storage.OFFERS), offer_rows=ports.view(storage.OFFER_SEARCH), clock=ports.clock
    )
    buyers = Buyers(
        buyers=ports.repository(storage.BUYERS, policies=[erase_again], commands=storage.COMMANDS),
        personal_data=ports.personal_data,
    )
    watching = ports.watch(storage.ORDERS)
    orders = ports.repository(storage.ORDERS, policies=[publish, follow_order], commands=storage.COMMANDS)
    ordering = Ordering(
        orders=orders,
        buyers=buyers,
        offers=offers,
        order_rows=ports.view(storage.ORDER_SUMMARY),
        sales_rows=ports.view(storage.DAILY_SALES),
        watching=watching,
        shipments=ShippingClient(shipping_peer),
        clock=ports.clock,
        answer_within=timedelta(seconds=settings.answer_seconds),
    )
    checkout = ports.saga(storage.CHECKOUTS, key=lambda fact: fact.order_id, commands=storage.COMMANDS)
    saga = ports.saga(storage.RETURNS, key=lambda fact: fact.return_id, commands=storage.COMMANDS)
    returns = Returns(
        orders=orders,
        saga=saga,
        stock=InventoryClient(inventory_peer),
        refunds=PaymentsClient(payments_peer),
        clock=ports.clock,
    )
    return Service(
        name="commerce.ordering",
        api=Api(pb_grpc.add_OrderingServiceServicer_to_server, OrderingApi(ordering, offers)),
        publishes=[
            events.OrderPlaced,
            events.OrderConfirmed,
            events.OrderCancellationRefused,
            events.OrderCancelled,
            events.OrderCompleted,
            events.OrderReturned,
            events.OrderReturnClosed,
        ],
        subscriptions=[
            on(catalog.ProductCreated, acl.product_created, then=offers.offer_product),
            on(catalog.ProductChanged, acl.product_changed, then=offers.describe_offer),
            on(catalog.PriceChanged, acl.price_changed, then=offers.price_offer),
            on(catalog.ProductDiscontinued, acl.product_discontinued, then=offers.withdraw_offer),
            on(customers.CustomerRegistered, acl.customer_registered, then=buyers.note_tier),
            on(customers.CustomerTierChanged, acl.customer_tier_changed, then=buyers.note_tier),
            on(customers.CustomerForgotten, acl.customer_forgotten, then=buyers.forget),
            on(inventory.StockLevelChanged, acl.stock_level_changed, then=offers.stock_offer),
            on(inventory.StockAllocated, acl.stock_allocated, then=checkout.tell),
            on(inventory.AllocationRefused, acl.allocation_refused, then=checkout.tell),
            on(inventory.AllocationReleased, acl.allocation_released, then=checkout.tell),
            on(inventory.AllocationSpoilt, acl.allocation_spoilt, then=checkout.tell),
            on(payments.PaymentAuthorised, acl.payment_authorised, then=checkout.tell),
            on(payments.PaymentFailed, acl.payment_failed, then=checkout.tell),
            on(payments_v2.PaymentRefunded, acl.payment_refunded, then=returns.note_refund),
            on(payments.RefundRefused, acl.refund_refused, then=returns.note_refused_refund),
            on(shipping.ShipmentCreated, acl.shipment_created, then=ordering.note_shipment),
            on(shipping.ShipmentDispatched, acl.shipment_dispatched, then=ordering.note_shipment),
            on(shipping.ShipmentCancelled, acl.shipment_cancelled, then=ordering.note_shipment),
            on(shipping.DeliveryConfirmed, acl.delivery_confirmed, then=ordering.note_shipment),
            on(shipping.DeliveryFailed, acl.delivery_failed, then=ordering.note_shipment),
        ],
        commands=storage.COMMANDS,
        calls={
            checkouts.ConfirmOrder: ordering.confirm_order,
            checkouts.CancelOrder: ordering.cancel_order,
            StopShipment: ordering.stop_shipment,
            EraseAddresses: buyers.erase_addresses,
            returning.Restock: returns.restock,
            returning.RefundReturn: returns.refund,
            returning.FinishReturn: ordering.finish_return,
            returning.CloseReturn: ordering.close_return,
        },
        projections=[storage.ORDER_SUMMARY, storage.OFFER_SEARCH, storage.DAILY_SALES],
        sagas=[checkout, saga],
        watches=[watching],
        peers=[inventory_peer, payments_peer, shipping_peer],
        relations=[
            Relation("commerce.catalog", LANGUAGE, "a product becomes an offer"),
            Relation("commerce.customers", LANGUAGE, "a customer becomes a buyer with a tier"),
            Relation("commerce.inventory", ACL, "stock becomes availability, an allocation becomes a yes or a no"),
            Relation("commerce.payments", SUPPLIER, "a payment becomes a yes or a no; refunds are asked for"),
            Relation("commerce.shipping", SUPPLIER, "a shipment becomes progress; stopping it is asked for"),
        ],
    )
