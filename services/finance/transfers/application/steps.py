"""The steps of a transfer in other contexts. Each is asked for under one request id until its answer is definite.

The request id follows from the transfer and the step. So when an answer is lost, the question is the same: the account
has carried it out already and says so, or it carries it out now, once.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass

from treaty.commits import Repository
from treaty.domain import DomainError

from services.finance.transfers.application import commands as c
from services.finance.transfers.application.ports import HOLD, Bank, Rules, Screening
from services.finance.transfers.domain.allowance import Allowance, allowance_id
from services.finance.transfers.domain.events import Terms
from services.finance.transfers.domain.transfer import Transfer

_NAMESPACE = uuid.UUID("5a0c8d0e-7f53-5d0c-9a0b-6f3f7f1f9a61")


def request_id(transfer_id: str, step: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{transfer_id}/{step}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Asks for the steps of transfers, and records the answers."""

    transfers: Repository[Transfer]
    allowances: Repository[Allowance]
    bank: Bank
    screening: Screening
    rules: Rules

    async def take_allowance(self, command: c.TakeAllowance) -> None:
        limit = self.rules.limit(command.amount.currency)
        id = allowance_id(command.customer_id, command.amount.currency, command.day)
        try:
            await self.allowances.add(id, lambda allowance: allowance.use(command.amount, limit))
        except DomainError as refusal:
            code, reason = refusal.reason, refusal.message
            await self.transfers.change(command.transfer_id, lambda it: it.allowance_refused(code, reason))
        else:
            await self.transfers.change(command.transfer_id, Transfer.allowance_taken)

    async def give_allowance_back(self, command: c.GiveAllowanceBack) -> None:
        id = allowance_id(command.customer_id, command.amount.currency, command.day)
        await self.allowances.add(id, lambda allowance: allowance.give_back(command.amount))

    async def reserve(self, command: c.ReserveMoney) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            hold = await self.bank.reserve(request_id(id, "reserve"), terms.payer, terms.amount, HOLD)
        except DomainError as refusal:
            code, reason = refusal.reason, refusal.message
            await self.transfers.change(id, lambda it: it.not_reserved(code, reason))
        else:
            await self.transfers.change(id, lambda it: it.reserved(hold))

    async def screen(self, command: c.Screen) -> None:
        """Asks for the verdict. Without one for good, the deadline follows the policy."""
        id = command.transfer_id
        transfer, terms = await self._transfer(id)
        assert transfer.initiated_at is not None
        try:
            verdict = await self.screening.screen(request_id(id, "screen"), id, terms, transfer.initiated_at)
        except DomainError:
            return
        large = self.rules.is_large(terms.amount)
        await self.transfers.change(id, lambda it: it.screened(verdict.decision, verdict.reasons, large=large))

    async def capture(self, command: c.CaptureMoney) -> None:
        id = command.transfer_id
        transfer, terms = await self._transfer(id)
        try:
            posting = await self.bank.capture(
                request_id(id, "capture"), terms.payer, transfer.hold_id, terms.amount, id
            )
        except DomainError as refusal:
            code, reason = refusal.reason, refusal.message
            await self.transfers.change(id, lambda it: it.not_captured(code, reason))
        else:
            await self.transfers.change(id, lambda it: it.captured(posting))

    async def credit(self, command: c.CreditPayee) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            posting = await self.bank.credit(request_id(id, "credit"), terms.payee, terms.amount, id)
        except DomainError as refusal:
            code, reason = refusal.reason, refusal.message
            await self.transfers.change(id, lambda it: it.not_credited(code, reason))
        else:
            await self.transfers.change(id, lambda it: it.credited(posting))

    async def release(self, command: c.ReleaseHold) -> None:
        """Gives the hold up. A refusal means that it has ended already, or ends by its own time."""
        id = command.transfer_id
        transfer, terms = await self._transfer(id)
        with suppress(DomainError):
            await self.bank.release(request_id(id, "release"), terms.payer, transfer.hold_id)
        await self.transfers.change(id, Transfer.released)

    async def give_back(self, command: c.ReturnMoney) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            await self.bank.give_back(request_id(id, "return"), terms.payer, terms.amount, id)
        except DomainError:
            await self.transfers.change(id, Transfer.not_returned)
        else:
            await self.transfers.change(id, Transfer.returned)

    async def park(self, command: c.ParkMoney) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            await self._park(request_id(id, f"park/{command.attempt}"), terms, id)
        except DomainError as refusal:
            reason = refusal.message
            await self.transfers.change(id, lambda it: it.not_parked(reason))
        else:
            await self.transfers.change(id, Transfer.money_parked)

    async def take_refund(self, command: c.TakeRefund) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        asked = request_id(id, f"refund/{command.attempt}")
        try:
            posting = await self.bank.take_back(asked, terms.payee, terms.amount, id)
        except DomainError as refusal:
            reason = refusal.message
            await self.transfers.change(id, lambda it: it.refund_refused(reason))
        else:
            await self.transfers.change(id, lambda it: it.refund_taken(posting))

    async def pay_refund(self, command: c.PayRefund) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            posting = await self.bank.give_back(request_id(id, "pay-refund"), terms.payer, terms.amount, id)
        except DomainError as refusal:
            reason = refusal.message
            await self.transfers.change(id, lambda it: it.refund_not_paid(reason))
        else:
            await self.transfers.change(id, lambda it: it.refund_paid(posting))

    async def park_refund(self, command: c.ParkRefund) -> None:
        id, terms = command.transfer_id, (await self._transfer(command.transfer_id))[1]
        try:
            posting = await self._park(request_id(id, f"park-refund/{command.attempt}"), terms, id)
        except DomainError as refusal:
            reason = refusal.message
            await self.transfers.change(id, lambda it: it.refund_not_paid(reason))
        else:
            await self.transfers.change(id, lambda it: it.refund_paid(posting))

    async def _park(self, asked: str, terms: Terms, transfer_id: str) -> str:
        account = self.rules.suspense_account(terms.amount.currency)
        return await self.bank.give_back(asked, account, terms.amount, transfer_id)

    async def _transfer(self, transfer_id: str) -> tuple[Transfer, Terms]:
        transfer = (await self.transfers.get(transfer_id)).state
        assert transfer.terms is not None
        return transfer, transfer.terms
