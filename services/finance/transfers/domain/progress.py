"""How far a transfer and its refund are after each event: the aggregate and the read model both follow this."""

from collections.abc import Mapping

from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import TransferEvent
from services.finance.transfers.domain.statuses import Refund, Status

CANCELLED, FRAUD = "CANCELLED", "FRAUD"
"""The codes of a transfer that was cancelled, and of one that a person found to be fraud."""


def status_after(event: TransferEvent) -> Status | None:
    """Returns the status that an event leads to, or None if it changes no status."""
    if isinstance(event, e.TransferFailed):
        return Status.CANCELLED if event.code == CANCELLED else Status.FAILED
    return _STATUS.get(type(event))


def refund_after(event: TransferEvent) -> Refund | None:
    """Returns the state of the refund that an event leads to, or None if it changes none."""
    return _REFUND.get(type(event))


_STATUS: Mapping[type, Status] = {
    e.TransferInitiated: Status.CHECKING_ALLOWANCE,
    e.AllowanceTaken: Status.RESERVING,
    e.MoneyReserved: Status.SCREENING,
    e.ReviewAsked: Status.IN_REVIEW,
    e.ApprovalAsked: Status.AWAITING_APPROVAL,
    e.CaptureStarted: Status.CAPTURING,
    e.MoneyCaptured: Status.CREDITING,
    e.TransferCompleted: Status.COMPLETED,
    e.ReleaseStarted: Status.RELEASING,
    e.ReturnStarted: Status.RETURNING,
    e.ParkingStarted: Status.PARKING,
    e.TransferStuck: Status.STUCK,
}

_REFUND: Mapping[type, Refund] = {
    e.RefundAsked: Refund.ASKED,
    e.RefundStarted: Refund.DEBITING,
    e.RefundTaken: Refund.CREDITING,
    e.RefundParkingStarted: Refund.PARKING,
    e.RefundRefused: Refund.REFUSED,
    e.RefundStuck: Refund.STUCK,
    e.RefundPaid: Refund.PAID,
}
