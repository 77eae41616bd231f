"""Translates the protobuf messages of clients to values of Ordering."""

from collections.abc import Iterable, Mapping

from commerce.ordering.v1 import ordering_service_pb2 as pb
from treaty.domain import Invalid

from services.commerce.ordering.application.commands import Destination
from services.commerce.ordering.domain.pricing import Line, Method
from services.commerce.ordering.publishing import METHODS
from services.commerce.wire import money_from_wire


def lines_of(lines: Iterable[pb.OrderLine], name: str = "lines") -> list[Line]:
    """Returns the lines of a request.

    Raises:
        Invalid: if a line is not valid; `field` names the line.
    """
    return [_line(line, f"{name}[{index}]") for index, line in enumerate(lines)]


def _line(line: pb.OrderLine, place: str) -> Line:
    try:
        return Line(sku=line.sku, quantity=line.quantity, unit_price=money_from_wire(line.unit_price))
    except Invalid as invalid:
        field = f"{place}.unit_price.{invalid.field}" if "." not in invalid.field else invalid.field
        raise Invalid(invalid.message, field=field, reason=invalid.reason) from None


def destination_of(request: pb.PlaceOrderRequest) -> Destination:
    method = METHODS.find(request.shipping_method) or Method.STANDARD
    return Destination(method=method, address=address_of(request.address))


def address_of(address: pb.Address) -> Mapping[str, str]:
    """Returns an address for `PersonalData`."""
    return {
        "name": address.name,
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
    }
