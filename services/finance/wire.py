"""Translates money and times to protobuf messages and back. Only the edges of a context may import this module."""

from datetime import UTC, datetime

from finance.money.v1 import money_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.domain import Invalid

from services.finance.money import Money


def money_to_wire(money: Money) -> money_pb2.Money:
    """Returns the protobuf message of an amount."""
    return money_pb2.Money(minor_units=money.minor_units, currency=money.currency)


def money_from_wire(message: money_pb2.Money) -> Money:
    """Returns the amount of a protobuf message.

    Raises:
        Invalid: if the currency is unknown, or has no minor unit.
    """
    return Money(message.minor_units, message.currency)


def time_to_wire(time: datetime) -> Timestamp:
    """Returns the protobuf message of a moment in UTC."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def time_from_wire(message: Timestamp) -> datetime:
    """Returns the moment in UTC of a protobuf message, cut to milliseconds, the precision that is stored.

    Raises:
        Invalid: if the moment is not in the years 1900 to 2999: from the ends of the calendar nothing can be reckoned.
    """
    try:
        moment = message.ToDatetime(UTC)
        if not 1900 <= moment.year < 3000:
            raise ValueError(moment)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{message.seconds} s and {message.nanos} ns after 1970 is not a time in the years 1900 to 2999"
        ) from None
    return moment.replace(microsecond=message.nanos // 1_000_000 * 1000)
