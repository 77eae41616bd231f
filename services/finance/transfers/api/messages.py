"""The messages of the API: translates values of Transfers to protobuf messages and back."""

from datetime import date
from zoneinfo import ZoneInfo

from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.domain import Invalid
from treaty.rpc import EnumTable

from services.finance.transfers.domain.calendar import Adjust, Every, Missed, Schedule
from services.finance.transfers.domain.events import Terms
from services.finance.transfers.domain.lines import Outcome
from services.finance.transfers.domain.order import Order
from services.finance.transfers.domain.statuses import Decision, Refund, Status, Unscreened
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.projections import OrderRow, TransferRow
from services.finance.wire import money_from_wire, money_to_wire, time_to_wire

STATUS = EnumTable(
    {
        Status.CHECKING_ALLOWANCE: pb.TRANSFER_STATUS_CHECKING_ALLOWANCE,
        Status.RESERVING: pb.TRANSFER_STATUS_RESERVING,
        Status.SCREENING: pb.TRANSFER_STATUS_SCREENING,
        Status.IN_REVIEW: pb.TRANSFER_STATUS_IN_REVIEW,
        Status.AWAITING_APPROVAL: pb.TRANSFER_STATUS_AWAITING_APPROVAL,
        Status.CAPTURING: pb.TRANSFER_STATUS_CAPTURING,
        Status.CREDITING: pb.TRANSFER_STATUS_CREDITING,
        Status.RELEASING: pb.TRANSFER_STATUS_RELEASING,
        Status.RETURNING: pb.TRANSFER_STATUS_RETURNING,
        Status.PARKING: pb.TRANSFER_STATUS_PARKING,
        Status.STUCK: pb.TRANSFER_STATUS_STUCK,
        Status.COMPLETED: pb.TRANSFER_STATUS_COMPLETED,
        Status.FAILED: pb.TRANSFER_STATUS_FAILED,
        Status.CANCELLED: pb.TRANSFER_STATUS_CANCELLED,
    }
)
REFUNDS = EnumTable(
    {
        Refund.NONE: pb.REFUND_STATUS_UNSPECIFIED,
        Refund.ASKED: pb.REFUND_STATUS_ASKED,
        Refund.DEBITING: pb.REFUND_STATUS_TAKING,
        Refund.CREDITING: pb.REFUND_STATUS_PAYING,
        Refund.PARKING: pb.REFUND_STATUS_PAYING,
        Refund.STUCK: pb.REFUND_STATUS_STUCK,
        Refund.PAID: pb.REFUND_STATUS_PAID,
        Refund.REFUSED: pb.REFUND_STATUS_REFUSED,
    }
)
_VERDICTS = EnumTable(
    {
        None: pb.VERDICT_UNSPECIFIED,
        Decision.ACCEPT: pb.VERDICT_ACCEPT,
        Decision.REVIEW: pb.VERDICT_REVIEW,
        Decision.BLOCK: pb.VERDICT_BLOCK,
    }
)
_UNSCREENED = EnumTable(
    {
        None: pb.UNSCREENED_UNSPECIFIED,
        Unscreened.REFUSE: pb.UNSCREENED_REFUSE,
        Unscreened.APPROVE: pb.UNSCREENED_APPROVE,
        Unscreened.ACCEPT: pb.UNSCREENED_ACCEPT,
    }
)
_EVERY = EnumTable(
    {
        Every.ONCE: pb.EVERY_ONCE,
        Every.DAY: pb.EVERY_DAY,
        Every.WEEK: pb.EVERY_WEEK,
        Every.MONTH: pb.EVERY_MONTH,
        Every.YEAR: pb.EVERY_YEAR,
    }
)
_ADJUST = EnumTable(
    {
        Adjust.KEEP: pb.ADJUST_KEEP,
        Adjust.FOLLOWING: pb.ADJUST_FOLLOWING,
        Adjust.PRECEDING: pb.ADJUST_PRECEDING,
    }
)
_MISSED = EnumTable({Missed.ALL: pb.MISSED_ALL, Missed.ONCE: pb.MISSED_ONCE, Missed.NONE: pb.MISSED_NONE})


def terms_from_wire(message: pb.Terms) -> Terms:
    return Terms(
        payer=message.payer,
        payee=message.payee,
        amount=money_from_wire(message.amount),
        customer_id=message.customer_id,
        initiated_by=message.initiated_by,
        reference=message.reference,
    )


def terms_to_wire(terms: Terms) -> pb.Terms:
    return pb.Terms(
        payer=terms.payer,
        payee=terms.payee,
        amount=money_to_wire(terms.amount),
        customer_id=terms.customer_id,
        initiated_by=terms.initiated_by,
        reference=terms.reference,
    )


def schedule_from_wire(message: pb.Schedule) -> Schedule:
    """Returns a schedule.

    Raises:
        Invalid: if a date does not exist, or the time zone is unknown.
    """
    for name in ("start", "end"):
        _must_be_a_date(getattr(message, name), f"schedule.{name}")
    try:
        ZoneInfo(message.zone)
    except (ValueError, OSError, KeyError):
        raise Invalid(f"{message.zone!r} is no time zone, such as Europe/Berlin", field="schedule.zone") from None
    return Schedule(
        start=message.start,
        end=message.end,
        at=message.at,
        zone=message.zone,
        every=_EVERY.from_wire(message.every),
        adjust=_ADJUST.from_wire(message.adjust),
        missed=_MISSED.from_wire(message.missed),
    )


def _must_be_a_date(text: str, field: str) -> None:
    try:
        if text and not 1900 <= date.fromisoformat(text).year < 3000:
            raise ValueError(text)
    except ValueError:
        raise Invalid(f"{text} is no date of the years 1900 to 2999", field=field) from None


def transfer_to_wire(transfer: Transfer) -> pb.Transfer:
    assert transfer.terms is not None
    assert transfer.initiated_at is not None
    return pb.Transfer(
        transfer_id=transfer.id,
        status=STATUS.to_wire(transfer.status),
        terms=terms_to_wire(transfer.terms),
        verdict=_VERDICTS.to_wire(transfer.decision),
        reasons=transfer.reasons,
        unscreened=_UNSCREENED.to_wire(transfer.unscreened),
        approved_by=transfer.approved_by,
        code=transfer.code,
        reason=transfer.reason,
        parked=transfer.parked,
        refund=REFUNDS.to_wire(transfer.refund),
        refund_reason=transfer.refund_reason,
        refund_parked=transfer.refund_parked,
        due_on=transfer.terms.due_on,
        initiated_at=time_to_wire(transfer.initiated_at),
    )


def order_to_wire(order: Order) -> pb.Order:
    assert order.terms is not None
    assert order.schedule is not None
    schedule = order.schedule
    return pb.Order(
        order_id=order.id,
        terms=terms_to_wire(order.terms),
        schedule=pb.Schedule(
            start=schedule.start,
            end=schedule.end,
            at=schedule.at,
            zone=schedule.zone,
            every=_EVERY.to_wire(schedule.every),
            adjust=_ADJUST.to_wire(schedule.adjust),
            missed=_MISSED.to_wire(schedule.missed),
        ),
        next_at=None if order.next_at is None else time_to_wire(order.next_at),
        made=order.made,
        skipped=order.skipped,
        ended=order.ended,
    )


def summary_to_wire(row: TransferRow) -> pb.TransferSummary:
    return pb.TransferSummary(
        transfer_id=row.transfer_id,
        status=STATUS.to_wire(row.status),
        payer=row.payer,
        payee=row.payee,
        amount=money_to_wire(row.amount),
        code=row.code,
        initiated_at=time_to_wire(row.initiated_at),
        refund=REFUNDS.to_wire(row.refund),
    )


def order_summary_to_wire(row: OrderRow) -> pb.OrderSummary:
    return pb.OrderSummary(
        order_id=row.order_id,
        payer=row.payer,
        payee=row.payee,
        amount=money_to_wire(row.amount),
        every=_EVERY.to_wire(row.every),
        first_at=time_to_wire(row.first_at),
        next_at=None if row.next_at is None else time_to_wire(row.next_at),
        made=row.made,
        ended=row.ended,
    )


def line_to_wire(outcome: Outcome) -> pb.FileLine:
    return pb.FileLine(
        end_to_end=outcome.end_to_end,
        status=outcome.status,
        code=outcome.code,
        transfer_id=outcome.transfer_id,
        order_id=outcome.order_id,
    )
