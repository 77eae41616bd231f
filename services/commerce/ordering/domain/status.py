"""The status of an order."""

from enum import StrEnum


class Status(StrEnum):
    NEW = "new"
    DRAFT = "draft"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
