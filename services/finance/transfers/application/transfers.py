"""The use cases of transfers, and the policy that makes the next step of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, Policy
from treaty.projections import Key, View

from services.finance.transfers.application import commands as c
from services.finance.transfers.application.ports import Rules
from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.events import TransferEvent
from services.finance.transfers.domain.statuses import Status
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.projections import TransferRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """The use cases of transfers."""

    transfers: Repository[Transfer]
    transfer_rows: View[TransferRow]
    rules: Rules
    clock: Clock

    async def initiate(self, command: c.InitiateTransfer) -> Committed[Transfer]:
        """Initiates a transfer; its steps follow."""
        now = self.clock.now()
        day = self.rules.day_of(now)
        return await self.transfers.add(
            command.transfer_id, lambda transfer: transfer.initiate(command.terms, day, now)
        )

    async def approve(self, command: c.ApproveTransfer) -> Committed[Transfer]:
        return await self.transfers.change(command.transfer_id, lambda transfer: transfer.approve(command.by))

    async def cancel(self, command: c.CancelTransfer) -> Committed[Transfer]:
        return await self.transfers.change(
            command.transfer_id, lambda transfer: transfer.cancel(command.by, command.reason)
        )

    async def refund(self, command: c.RefundTransfer) -> Committed[Transfer]:
        return await self.transfers.change(
            command.transfer_id, lambda transfer: transfer.ask_refund(command.reason, command.by)
        )

    async def resume(self, command: c.ResumeTransfer) -> Committed[Transfer]:
        """Tries again to park money that the suspense account did not take."""
        return await self.transfers.change(command.transfer_id, Transfer.resume)

    async def note_review(self, command: c.NoteReview) -> Committed[Transfer]:
        """Records the decision of a review, whenever it comes."""
        return await self.transfers.change(
            command.transfer_id,
            lambda transfer: transfer.reviewed(fraud=command.fraud, by=command.by, large=self._is_large(transfer)),
        )

    async def screening_overdue(self, command: c.ScreeningOverdue) -> Committed[Transfer]:
        """Follows the policy if there is no verdict when the timer fires."""
        policy = self.rules.unscreened
        return await self.transfers.change(
            command.transfer_id,
            lambda transfer: transfer.screening_overdue(policy, large=self._is_large(transfer)),
        )

    async def review_overdue(self, command: c.ReviewOverdue) -> Committed[Transfer]:
        return await self.transfers.change(command.transfer_id, Transfer.review_overdue)

    async def approval_overdue(self, command: c.ApprovalOverdue) -> Committed[Transfer]:
        return await self.transfers.change(command.transfer_id, Transfer.approval_overdue)

    async def get(self, transfer_id: str) -> Committed[Transfer]:
        """Returns one transfer, as of its latest durable commit."""
        return await self.transfers.get(transfer_id)

    async def list_transfers(self, query: c.ListTransfers) -> tuple[list[TransferRow], Key | None]:
        """Returns a page of transfers, latest first, and the key of the next page, or None at the end."""
        wanted = {
            "payer": query.payer,
            "customer_id": query.customer_id,
            "status": query.status and query.status.value,
            "refund": query.refund and query.refund.value,
        }
        return await self.transfer_rows.page({field: value for field, value in wanted.items() if value}, query.page)

    def _is_large(self, transfer: Transfer) -> bool:
        return transfer.terms is not None and self.rules.is_large(transfer.terms.amount)


def next_step(rules: Rules) -> Policy:
    """Returns the policy that asks for the step that follows from an event, and sets the deadlines."""

    def step(transfer: Transfer, event: TransferEvent) -> Iterator[Call]:
        yield from _forward(transfer, event, rules)
        yield from _back(transfer, event)

    return step


def _forward(transfer: Transfer, event: TransferEvent, rules: Rules) -> Iterator[Call]:
    """Yields the steps of a transfer that goes on. `transfer` is as after all events of its command."""
    id = transfer.id
    match event:
        case e.TransferInitiated():
            amount, customer = event.terms.amount, event.terms.customer_id
            yield Call(c.TakeAllowance(transfer_id=id, customer_id=customer, amount=amount, day=event.day))
        case e.AllowanceTaken() if transfer.status is Status.RESERVING:
            yield Call(c.ReserveMoney(transfer_id=id))
        case e.MoneyReserved() if transfer.status is Status.SCREENING:
            yield Call(c.ScreeningOverdue(transfer_id=id), after=rules.screening)
            yield Call(c.Screen(transfer_id=id), after=timedelta(0))  # not in the way of later steps if Fraud is away
        case e.ReviewAsked():
            yield Call(c.ReviewOverdue(transfer_id=id), after=rules.review)
        case e.ApprovalAsked():
            yield Call(c.ApprovalOverdue(transfer_id=id), after=rules.approval)
        case e.CaptureStarted():
            yield Call(c.CaptureMoney(transfer_id=id))
        case e.MoneyCaptured() if not transfer.found_fraud:
            yield Call(c.CreditPayee(transfer_id=id))
        case e.RefundStarted():
            yield Call(c.TakeRefund(transfer_id=id, attempt=event.attempt))
        case e.RefundTaken():
            yield Call(c.PayRefund(transfer_id=id))
        case _:
            return


def _back(transfer: Transfer, event: TransferEvent) -> Iterator[Call]:
    """Yields the steps that undo a doomed transfer."""
    id, terms = transfer.id, transfer.terms
    match event:
        case e.ReleaseStarted():
            yield Call(c.ReleaseHold(transfer_id=id))
        case e.ReturnStarted():
            yield Call(c.ReturnMoney(transfer_id=id))
        case e.ParkingStarted():
            yield Call(c.ParkMoney(transfer_id=id, attempt=event.attempt))
        case e.RefundParkingStarted():
            yield Call(c.ParkRefund(transfer_id=id, attempt=event.attempt))
        case e.TransferFailed() if transfer.took_allowance and terms is not None:
            customer, amount = terms.customer_id, terms.amount
            yield Call(c.GiveAllowanceBack(transfer_id=id, customer_id=customer, amount=amount, day=transfer.day))
        case _:
            return
