"""Values in messages: moments at the ends of the calendar are refused, and sums may be larger than any price."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.domain import Invalid

from services.commerce import wire as commerce
from services.finance import wire as finance
from services.media import wire as media
from services.media.licensing.api.replies import purchase_day_of
from services.media.licensing.projections import PurchaseDay

FROM_WIRE = [commerce.time_from_wire, finance.time_from_wire, media.time_from_wire]


def _message(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


@pytest.mark.parametrize("from_wire", FROM_WIRE)
@pytest.mark.parametrize("year", [1, 1899, 3000, 9999])
def test_a_moment_far_off_is_refused(from_wire: Callable[[Timestamp], datetime], year: int) -> None:
    with pytest.raises(Invalid, match="years 1900 to 2999"):
        from_wire(_message(datetime(year, 12, 31, tzinfo=UTC)))


@pytest.mark.parametrize("from_wire", FROM_WIRE)
@pytest.mark.parametrize("year", [1900, 2026, 2999])
def test_a_moment_comes_back(from_wire: Callable[[Timestamp], datetime], year: int) -> None:
    assert from_wire(_message(datetime(year, 12, 31, tzinfo=UTC))) == datetime(year, 12, 31, tzinfo=UTC)


def test_the_revenue_of_a_day_may_be_larger_than_any_price() -> None:
    shown = purchase_day_of(PurchaseDay(day="2026-01-01", currency="JPY", purchases=2, revenue=2 * 10**12))
    assert (shown.revenue.minor_units, shown.revenue.currency) == (2 * 10**12, "JPY")
