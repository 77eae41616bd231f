"""Builds the Customers service from its parts."""

from datetime import timedelta

from commerce.customers.v1 import customers_events_pb2 as events
from commerce.customers.v1 import customers_service_pb2_grpc as pb_grpc
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from pydantic import Field
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.commerce.customers import acl, application, storage
from services.commerce.customers.api import CustomersApi
from services.commerce.customers.application import Customers, set_timers
from services.commerce.customers.publishing import publish

MILLISECONDS_A_DAY = 86_400_000


class CustomersSettings(Settings):
    """The settings of Customers. `review_days` is the number of days from the last change of a tier to its review."""

    review_days: float = Field(365.0, alias="CUSTOMERS_REVIEW_DAYS", gt=0, le=36500)

    @property
    def review_after(self) -> timedelta:
        """Returns `review_days` in whole milliseconds, the precision that is stored."""
        return timedelta(milliseconds=max(1, round(self.review_days * MILLISECONDS_A_DAY)))


def build(ports: Ports) -> Service:
    customers = Customers(
        customers=ports.repository(storage.CUSTOMERS, policies=[publish, set_timers], commands=storage.COMMANDS),
        customer_rows=ports.view(storage.CUSTOMER_ROWS),
        happenings=ports.view(storage.HAPPENINGS),
        personal_data=ports.personal_data,
        clock=ports.clock,
        review_after=ports.settings(CustomersSettings).review_after,
    )
    return Service(
        name="commerce.customers",
        api=Api(pb_grpc.add_CustomersServiceServicer_to_server, CustomersApi(customers)),
        publishes=[events.CustomerRegistered, events.CustomerTierChanged, events.CustomerForgotten],
        subscriptions=[
            on(ordering.OrderCompleted, acl.order_completed, then=customers.note_purchase),
            on(ordering.OrderReturned, acl.order_returned, then=customers.note_return),
        ],
        commands=storage.COMMANDS,
        calls={
            application.ReviewTier: customers.review_tier,
            application.ErasePersonalData: customers.erase_personal_data,
        },
        projections=[storage.CUSTOMER_ROWS, storage.HAPPENINGS],
        relations=[
            Relation(
                "commerce.ordering",
                Pattern.ANTI_CORRUPTION_LAYER,
                "a completed order is a purchase; only its amount matters",
            )
        ],
    )
