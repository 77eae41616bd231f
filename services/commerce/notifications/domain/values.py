"""The values that notifications and subscriptions consist of."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treaty.domain import Invalid


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class Topic(StrEnum):
    ACCOUNT = "account"
    ORDERS = "orders"
    PAYMENTS = "payments"
    DELIVERIES = "deliveries"
    STOCK = "stock"
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The words of a message, and its topic. It contains no personal data: it names things by their ids."""

    topic: Topic
    subject: str
    body: str


_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one time of day to another, "HH:MM" in a time zone. Midnight may be between them."""

    start: str
    end: str
    zone: str

    def check(self) -> None:
        """Raises Invalid unless the times and the time zone are valid."""
        for field, time in (("start", self.start), ("end", self.end)):
            if not _TIME.fullmatch(time):
                raise Invalid(f"{time!r} is not a time of day such as 22:30", field=field)
        if self.start == self.end:
            raise Invalid("quiet hours must not start and end at the same time", field="end")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Invalid(f"{self.zone!r} is not a time zone such as Europe/London", field="time_zone") from None

    def end_after(self, now: datetime) -> datetime | None:
        """Returns the end of the quiet hours, or None if `now` is outside of them."""
        local = now.astimezone(ZoneInfo(self.zone))
        if not self._hold(f"{local:%H:%M}"):
            return None
        hour, minute = map(int, self.end.split(":"))
        end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if end <= local:
            end += timedelta(days=1)
        return end.astimezone(UTC)

    def _hold(self, time: str) -> bool:
        if self.start < self.end:
            return self.start <= time < self.end
        return time >= self.start or time < self.end
