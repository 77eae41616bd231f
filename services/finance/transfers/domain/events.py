"""The events of transfers, allowances and standing orders."""

from dataclasses import dataclass
from datetime import datetime

from services.finance.money import Money
from services.finance.transfers.domain.calendar import Schedule
from services.finance.transfers.domain.lines import Line
from services.finance.transfers.domain.statuses import Decision, Unscreened


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The content of a transfer. `reference` is the cause, such as the id of a standing order; nothing personal.

    Attributes:
        due_on: the date of a standing order's run, as YYYY-MM-DD; empty for a transfer without one.
        batch: whether it is a line of a file, which is screened as one of a batch.
    """

    payer: str
    payee: str
    amount: Money
    customer_id: str
    initiated_by: str
    reference: str
    due_on: str = ""
    batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferInitiated:
    """`day` is the day of the bank on which the transfer counts, as YYYY-MM-DD."""

    terms: Terms
    day: str
    initiated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceTaken:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyReserved:
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferScreened:
    decision: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningMissed:
    """No verdict came in time, and the policy was followed."""

    policy: Unscreened


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAsked:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecided:
    fraud: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferApproved:
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationAsked:
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyCaptured:
    posting_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted:
    posting_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStarted:
    """The transfer is doomed; its hold is given up."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnStarted:
    """The transfer is doomed; the captured money goes back to the payer."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingStarted:
    """The payer's account did not take the money back, so it goes to the suspense account. `attempt` counts from 1."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStuck:
    """The suspense account did not take the money: a person must mend that and resume the transfer."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed:
    """The transfer ended without an effect. `parked` says whether the money is in the suspense account."""

    code: str
    reason: str
    parked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsked:
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStarted:
    """`attempt` counts from 1: a refused refund may be asked for again."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTaken:
    """The payee gave the money back."""

    posting_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundParkingStarted:
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStuck:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPaid:
    posting_id: str
    parked: bool


TransferEvent = (
    TransferInitiated
    | AllowanceTaken
    | MoneyReserved
    | TransferScreened
    | ScreeningMissed
    | ReviewAsked
    | ReviewDecided
    | ApprovalAsked
    | TransferApproved
    | CancellationAsked
    | CaptureStarted
    | MoneyCaptured
    | TransferCompleted
    | ReleaseStarted
    | ReturnStarted
    | ParkingStarted
    | TransferStuck
    | TransferFailed
    | RefundAsked
    | RefundStarted
    | RefundRefused
    | RefundTaken
    | RefundParkingStarted
    | RefundStuck
    | RefundPaid
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceUsed:
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceGivenBack:
    units: int


AllowanceEvent = AllowanceUsed | AllowanceGivenBack


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """`next_run` is the number of the first run of the schedule, from 0, and `next_at` the moment of it."""

    terms: Terms
    schedule: Schedule
    next_run: int
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRan:
    """The runs that were due: those whose transfer was made, and the skipped ones, as dates YYYY-MM-DD.

    `next_at` is None after the last run.
    """

    made: tuple[str, ...]
    skipped: tuple[str, ...]
    next_run: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEnded:
    by: str
    reason: str


OrderEvent = OrderPlaced | OrderRan | OrderEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAccepted:
    """A payment file with at least one line; some of them may be refused."""

    message_id: str
    customer_id: str
    initiated_by: str
    lines: tuple[Line, ...]
    accepted_at: datetime


FileEvent = FileAccepted
