"""The statuses of a transfer and of its refund, and the policies that are settings."""

from enum import StrEnum


class Status(StrEnum):
    NEW = "new"
    CHECKING_ALLOWANCE = "checking-allowance"
    RESERVING = "reserving"
    SCREENING = "screening"
    IN_REVIEW = "in-review"
    AWAITING_APPROVAL = "awaiting-approval"
    CAPTURING = "capturing"
    CREDITING = "crediting"
    RELEASING = "releasing"
    RETURNING = "returning"
    PARKING = "parking"
    STUCK = "stuck"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

BEFORE_THE_HOLD = frozenset({Status.CHECKING_ALLOWANCE, Status.RESERVING})

HELD = frozenset({Status.SCREENING, Status.IN_REVIEW, Status.AWAITING_APPROVAL})
"""The money is reserved, and the transfer can still be cancelled at once."""


BEFORE_THE_MONEY_MOVED = BEFORE_THE_HOLD | HELD | {Status.CAPTURING}
"""Nothing is known to have moved. A capture may be on its way; the payee has nothing yet."""


class Refund(StrEnum):
    NONE = "none"
    ASKED = "asked"
    DEBITING = "debiting"
    CREDITING = "crediting"
    PARKING = "parking"
    STUCK = "stuck"
    PAID = "paid"
    REFUSED = "refused"


class Unscreened(StrEnum):
    """The policy for a transfer whose verdict does not come in time."""

    REFUSE = "refuse"
    APPROVE = "approve"
    ACCEPT = "accept"


class Decision(StrEnum):
    """The verdict of Fraud."""

    ACCEPT = "accept"
    REVIEW = "review"
    BLOCK = "block"
