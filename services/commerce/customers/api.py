"""The gRPC API of Customers: translates requests, calls the use cases, translates their results."""

from typing import Any

from commerce.customers.v1 import customers_events_pb2 as events
from commerce.customers.v1 import customers_service_pb2 as pb
from commerce.customers.v1 import customers_service_pb2_grpc as pb_grpc
from treaty.rpc import EnumTable, page_of, to_token

from services.commerce.customers.application import (
    ChangeTier,
    Customers,
    ForgetCustomer,
    GetHistory,
    ListCustomers,
    RegisterCustomer,
)
from services.commerce.customers.domain.customer import Customer
from services.commerce.customers.domain.tiers import Tier
from services.commerce.customers.projections import CustomerRow, Happening, Kind
from services.commerce.customers.publishing import TIERS
from services.commerce.wire import money_to_wire, time_to_wire

_KINDS = EnumTable(
    {
        Kind.REGISTERED: pb.HAPPENING_KIND_REGISTERED,
        Kind.PURCHASE: pb.HAPPENING_KIND_PURCHASE,
        Kind.RETURN: pb.HAPPENING_KIND_RETURN,
        Kind.PROMOTION: pb.HAPPENING_KIND_PROMOTION,
        Kind.DOWNGRADE: pb.HAPPENING_KIND_DOWNGRADE,
        Kind.FORGOTTEN: pb.HAPPENING_KIND_FORGOTTEN,
    }
)


class CustomersApi(pb_grpc.CustomersServiceServicer):
    """The gRPC servicer.

    The answers to commands contain no personal data, so a repeated command gets the same answer after an erasure.
    """

    def __init__(self, customers: Customers) -> None:
        self._customers = customers

    async def RegisterCustomer(self, request: pb.RegisterCustomerRequest, context: Any) -> pb.RegisterCustomerResponse:
        command = RegisterCustomer(customer_id=request.customer_id, name=request.name, email=request.email)
        registered = await self._customers.register_customer(command)
        return pb.RegisterCustomerResponse(customer=_customer(registered.state), revision=registered.revision)

    async def ChangeTier(self, request: pb.ChangeTierRequest, context: Any) -> pb.ChangeTierResponse:
        command = ChangeTier(customer_id=request.customer_id, tier=TIERS.from_wire(request.tier), reason=request.reason)
        changed = await self._customers.change_tier(command)
        return pb.ChangeTierResponse(customer=_customer(changed.state), revision=changed.revision)

    async def ForgetCustomer(self, request: pb.ForgetCustomerRequest, context: Any) -> pb.ForgetCustomerResponse:
        forgotten = await self._customers.forget_customer(ForgetCustomer(customer_id=request.customer_id))
        return pb.ForgetCustomerResponse(customer=_customer(forgotten.state), revision=forgotten.revision)

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        found, person = await self._customers.get_customer(request.customer_id)
        return pb.GetCustomerResponse(
            customer=_customer(found.state),
            revision=found.revision,
            name=person.get("name", ""),
            email=person.get("email", ""),
        )

    async def GetCustomerHistory(
        self, request: pb.GetCustomerHistoryRequest, context: Any
    ) -> pb.GetCustomerHistoryResponse:
        rows, after = await self._customers.get_history(
            GetHistory(customer_id=request.customer_id, page=page_of(request))
        )
        return pb.GetCustomerHistoryResponse(
            happenings=[_happening(row) for row in rows], next_page_token=to_token(after)
        )

    async def ListCustomers(self, request: pb.ListCustomersRequest, context: Any) -> pb.ListCustomersResponse:
        rows, after = await self._customers.list_customers(
            ListCustomers(tier=TIERS.find(request.tier), page=page_of(request))
        )
        return pb.ListCustomersResponse(customers=[_summary(row) for row in rows], next_page_token=to_token(after))


def _customer(customer: Customer) -> pb.Customer:
    assert customer.registered_at is not None
    assert customer.review_at is not None
    return pb.Customer(
        customer_id=customer.id,
        tier=TIERS.to_wire(customer.tier),
        registered_at=time_to_wire(customer.registered_at),
        review_at=time_to_wire(customer.review_at),
        forgotten=customer.forgotten,
    )


def _happening(row: Happening) -> pb.Happening:
    return pb.Happening(
        kind=_KINDS.to_wire(row.kind),
        at=time_to_wire(row.at),
        order_id=row.order_id,
        amount=None if row.amount is None else money_to_wire(row.amount),
        previous_tier=_tier(row.previous),
        new_tier=_tier(row.new),
        reason=row.reason,
    )


def _tier(tier: Tier | None) -> events.Tier.ValueType:
    return events.TIER_UNSPECIFIED if tier is None else TIERS.to_wire(tier)


def _summary(row: CustomerRow) -> pb.CustomerSummary:
    return pb.CustomerSummary(
        customer_id=row.customer_id, tier=TIERS.to_wire(row.tier), registered_at=time_to_wire(row.registered_at)
    )
