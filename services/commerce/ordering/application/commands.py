"""The commands and queries of the use cases of orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.projections import FIRST, Page

from services.commerce.money import Money
from services.commerce.ordering.domain.pricing import Line, Method
from services.commerce.ordering.domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """How and where to deliver. The address is personal data and is stored only in `PersonalData`."""

    method: Method
    address: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    order_id: str
    customer_id: str
    lines: Sequence[Line]
    expected: Money | None
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDraft:
    order_id: str
    customer_id: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDraft:
    order_id: str
    put: Sequence[Line]
    remove: Sequence[str]
    method: Method | None
    address: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDraft:
    order_id: str
    expected: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAddress:
    order_id: str
    address: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReturn:
    order_id: str
    return_id: str
    wanted: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveReturn:
    order_id: str
    return_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRefund:
    """A refund that Payments made. Its id is that of a return, or any other."""

    order_id: str
    refund_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRefusedRefund:
    """A refund that the gateway refused for good."""

    order_id: str
    refund_id: str
    amount: Money
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopShipment:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentNews:
    """The progress of a shipment. `kind` is "prepared", "dispatched", "cancelled", "delivered" or "failed"."""

    order_id: str
    kind: str
    carrier: str = ""
    tracking_number: str = ""
    at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOrder:
    """An order as it is now, or at a version or a moment if one is given."""

    order_id: str
    version: int = 0
    moment: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOrder:
    """The changes of an order that follow the version `after`."""

    order_id: str
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOrders:
    """An order is listed if all conditions hold. A condition that is empty or None always holds."""

    customer_id: str = ""
    status: Status | None = None
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSales:
    """The days from `first` to `last` (YYYY-MM-DD); an empty one does not bound them."""

    first: str = ""
    last: str = ""
    page: Page = FIRST
