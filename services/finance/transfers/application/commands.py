"""The commands and queries of Transfers."""

from dataclasses import dataclass
from datetime import datetime

from treaty.projections import Page

from services.finance.money import Money
from services.finance.transfers.domain.calendar import Schedule
from services.finance.transfers.domain.events import Terms
from services.finance.transfers.domain.lines import Instruction
from services.finance.transfers.domain.statuses import Refund, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiateTransfer:
    """Also the call of a standing order for one of its runs."""

    transfer_id: str
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveTransfer:
    transfer_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTransfer:
    transfer_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTransfer:
    transfer_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeTransfer:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReview:
    """The decision of a person in Fraud."""

    transfer_id: str
    fraud: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTransfers:
    """An empty `payer` or `customer_id`, or no `status` or `refund`, stands for all."""

    payer: str
    customer_id: str
    status: Status | None
    refund: Refund | None
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """`placed_at` is the moment from which on runs are made, however late the command is carried out; empty for now."""

    order_id: str
    terms: Terms
    schedule: Schedule
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOrder:
    order_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOrders:
    """An empty `payer` or `customer_id` stands for all; `with_ended` lists those that have ended too."""

    payer: str
    customer_id: str
    with_ended: bool
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """A timer of a standing order. `due` shows whether the runs were made by another one."""

    order_id: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitFile:
    """`message_id` is the customer's id of the file."""

    message_id: str
    customer_id: str
    initiated_by: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeAllowance:
    """The first step. `day` is the day of the bank on which the transfer counts."""

    transfer_id: str
    customer_id: str
    amount: Money
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveAllowanceBack:
    transfer_id: str
    customer_id: str
    amount: Money
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveMoney:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningOverdue:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOverdue:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOverdue:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureMoney:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPayee:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnMoney:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkMoney:
    transfer_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRefund:
    transfer_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRefund:
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkRefund:
    transfer_id: str
    attempt: int
