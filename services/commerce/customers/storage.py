"""The stored names of Customers' aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.customers import application
from services.commerce.customers.domain import customer, events
from services.commerce.customers.projections import (
    CustomerRow,
    Happening,
    customer_row,
    happening,
    happening_id,
)

CUSTOMERS = Stored(
    "customer",
    customer.Customer,
    events=[
        Shape("customer-registered", events.CustomerRegistered),
        Shape("purchase-noted", events.PurchaseNoted),
        Shape("return-noted", events.ReturnNoted),
        Shape("customer-promoted", events.CustomerPromoted),
        Shape("customer-downgraded", events.CustomerDowngraded),
        Shape("tier-kept", events.TierKept),
        Shape("customer-forgotten", events.CustomerForgotten),
    ],
)

COMMANDS = Names(
    [
        Shape("review-tier", application.ReviewTier),
        Shape("erase-personal-data", application.ErasePersonalData),
    ]
)

CUSTOMER_ROWS = Projection(
    name="customers",
    source=CUSTOMERS,
    row=CustomerRow,
    project=customer_row,
    order_by="customer_id",
    filters=("tier",),
    descending=False,
)

HAPPENINGS = Projection(
    name="happenings",
    source=CUSTOMERS,
    row=Happening,
    project=happening,
    order_by="at",
    filters=("customer_id",),
    key=happening_id,
)
