"""The commands of the use cases of orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.commerce.money import Money
from services.commerce.ordering.domain.pricing import Line, Method


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
class ChangeDraft:
    order_id: str
    put: Sequence[Line]
    remove: Sequence[str]
    method: Method | None
    address: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReturn:
    order_id: str
    return_id: str
    wanted: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopShipment:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentNews:
    """The progress of a shipment. `kind` is "prepared", "dispatched", "delivered" or "failed"."""

    order_id: str
    kind: str
    carrier: str = ""
    tracking_number: str = ""
    at: datetime | None = None
    why: str = ""
