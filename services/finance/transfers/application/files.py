"""The use cases of payment files: each good line makes a transfer, now or on its banking day."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, Invalid, Policy
from treaty.projections import View

from services.finance.money import Money
from services.finance.transfers.application.commands import InitiateTransfer, PlaceOrder, SubmitFile
from services.finance.transfers.application.orders import transfer_of
from services.finance.transfers.application.ports import BankingDays, Rules
from services.finance.transfers.domain.calendar import Adjust, Every, Missed, Schedule
from services.finance.transfers.domain.events import FileEvent, Terms
from services.finance.transfers.domain.file import PaymentFile
from services.finance.transfers.domain.lines import CODES, Line, Outcome, execution_day, line_of
from services.finance.transfers.domain.statuses import Status
from services.finance.transfers.projections import OrderRow, TransferRow

MOST_LINES = 1_000
"""The most lines of a file: its lines and their calls are one commit, which has at most 16 MB."""

_NAMESPACE = uuid.UUID("d1c7a6e2-52b4-5b7a-8d1e-3f0b7a9c6e55")

_WAITING = frozenset({Status.IN_REVIEW, Status.AWAITING_APPROVAL, Status.STUCK})


def file_id_of(customer_id: str, message_id: str) -> str:
    """Returns the id of a file: the same for a file that is sent again."""
    return str(uuid.uuid5(_NAMESPACE, f"{customer_id}/{message_id}"))


def line_id(file_id: str, index: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{file_id}/{index}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The rules for the day on which a line is carried out. From `cut_off` on, today is over."""

    rules: Rules
    is_banking_day: BankingDays
    cut_off: time

    def decided(self, line: Line, accepted_at: datetime) -> Line:
        """Returns a line with its day."""
        day, at_once = self.day_of(line, accepted_at)
        return replace(line, due_on=day, at_once=at_once)

    def day_of(self, line: Line, accepted_at: datetime) -> tuple[str, bool]:
        """Returns the day of a line, as YYYY-MM-DD, and whether it is carried out at once."""
        if line.due_on:
            return line.due_on, line.at_once
        day, at_once = execution_day(line.execute_on, accepted_at, self.cut_off, self.rules.zone, self.is_banking_day)
        return day.isoformat(), at_once

    def ids_of(self, file: PaymentFile, index: int) -> tuple[str, str]:
        """Returns the id of the transfer of a line, and that of its order; empty for a line carried out at once."""
        assert file.accepted_at is not None
        id = line_id(file.id, index)
        day, at_once = self.day_of(file.lines[index], file.accepted_at)
        return (id, "") if at_once else (transfer_of(id, day), id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The use cases of payment files."""

    files: Repository[PaymentFile]
    transfer_rows: View[TransferRow]
    order_rows: View[OrderRow]
    execution: Execution
    clock: Clock

    async def submit(self, command: SubmitFile) -> Committed[PaymentFile]:
        """Accepts a file, once."""
        if len(command.instructions) > MOST_LINES:
            raise Invalid(f"a file has {MOST_LINES} transactions at most", field="xml")
        now = self.clock.now()
        lines = tuple(self.execution.decided(line_of(one), now) for one in command.instructions)
        return await self.files.add(
            file_id_of(command.customer_id, command.message_id),
            lambda file: file.accept(
                message_id=command.message_id,
                customer_id=command.customer_id,
                initiated_by=command.initiated_by,
                lines=lines,
                now=now,
            ),
        )

    async def get(self, file_id: str) -> tuple[Committed[PaymentFile], Sequence[Outcome]]:
        """Returns a file, and the status of each line as the read models of transfers and orders have it."""
        found = await self.files.get(file_id)
        ids = [self.execution.ids_of(found.state, index) for index in range(len(found.state.lines))]
        made = await self.transfer_rows.rows([id for id, _ in ids])
        waiting = await self.order_rows.rows([order for id, order in ids if order and id not in made])
        return found, [
            _outcome(line, id, order, made.get(id), waiting.get(order))
            for line, (id, order) in zip(found.state.lines, ids, strict=True)
        ]


def _outcome(line: Line, id: str, order_id: str, row: TransferRow | None, order: OrderRow | None) -> Outcome:
    known = {"group": line.group, "end_to_end": line.end_to_end}
    if line.code:
        return Outcome(**known, status="RJCT", code=line.code, reason=line.reason)
    status, code, reason = _status(row, order)
    return Outcome(**known, status=status, code=code, reason=reason, transfer_id=id, order_id=order_id)


def _status(row: TransferRow | None, order: OrderRow | None) -> tuple[str, str, str]:
    """Returns the status, the code and the reason of a line. An order that ended before its day makes no transfer."""
    if row is None:
        return ("RJCT", "NARR", "CANCELLED") if order and order.ended and not order.made else ("ACCP", "", "")
    if row.status is Status.COMPLETED:
        return "ACSC", "", ""
    if row.status in (Status.FAILED, Status.CANCELLED):
        return "RJCT", CODES.get(row.code, "NARR"), row.code
    return ("PDNG" if row.status in _WAITING else "ACCP"), "", ""


def make_transfers(execution: Execution) -> Policy:
    """Returns the policy that makes the transfer of each good line, or schedules it for its banking day."""

    def make(file: PaymentFile, event: FileEvent) -> Iterator[Call]:
        for index, line in enumerate(event.lines):
            if line.amount is None:
                continue
            id, terms = line_id(file.id, index), _terms(file, line.amount, line)
            day, at_once = execution.day_of(line, event.accepted_at)
            if at_once:
                yield Call(InitiateTransfer(transfer_id=id, terms=terms))
            else:
                schedule = _once(day, execution.rules.zone.key)
                placed_at = event.accepted_at
                yield Call(PlaceOrder(order_id=id, terms=terms, schedule=schedule, placed_at=placed_at))

    return make


def _terms(file: PaymentFile, amount: Money, line: Line) -> Terms:
    return Terms(
        payer=line.payer,
        payee=line.payee,
        amount=amount,
        customer_id=file.customer_id,
        initiated_by=file.initiated_by,
        reference=file.id,
        batch=True,
    )


def _once(day: str, zone: str) -> Schedule:
    return Schedule(
        start=day, end="", at="06:00", zone=zone, every=Every.ONCE, adjust=Adjust.FOLLOWING, missed=Missed.ALL
    )
