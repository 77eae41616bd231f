"""The failures of transfers, from end to end. A subclass has the fixture `branch`."""

import asyncio
from typing import Any

import grpc
import pytest
from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts
from finance.money.v1.money_pb2 import Money
from finance.transfers.v1 import transfers_service_pb2 as pb
from treaty.testing import eventually
from treaty.testing.clients import refusal

from tests.journeys.money import (
    ACCOUNTS,
    AWAITING_APPROVAL,
    CANCELLED,
    COMPLETED,
    FAILED,
    FRAUD,
    LARGE,
    SMALL,
    SUSPICIOUS,
    WITHIN,
    Branch,
    lost,
    refused_with,
)
from tests.services.finance.bank import terms
from tests.services.finance.transfers.files import GOOD_IBAN, Sent, file_of


class TransferJourneys:
    """Each failure of a transfer, from end to end."""

    @pytest.mark.parametrize("booked", [True, False])
    async def test_a_capture_without_an_answer_is_made_once_whether_it_was_booked_or_not(
        self, branch: Branch, booked: bool
    ) -> None:
        payer, payee = await branch.pair(100_00)
        transfer_id = await branch.approvable(payer, payee)
        with lost(branch.doors[ACCOUNTS], answers_only=booked):
            await branch.approve(transfer_id)
            if booked:
                await branch.has(payer, 40_00)
            assert (await branch.clerk.get(transfer_id)).status == pb.TRANSFER_STATUS_CAPTURING
        await branch.clerk.reach(transfer_id, COMPLETED)
        assert await branch.balances(payer, payee) == [40_00, 60_00]

    async def test_a_refund_whose_answers_are_lost_is_paid_once(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SMALL)
        transfer_id = (await branch.clerk.move(SMALL, payer, payee)).transfer_id
        with lost(branch.doors[ACCOUNTS], answers_only=True):
            await branch.refund(transfer_id)
            await branch.has(payee, 0)
        await branch.refunded(transfer_id)
        assert await branch.balances(payer, payee) == [SMALL, 0]

    async def test_a_release_whose_answer_is_lost_frees_the_money_once(self, branch: Branch) -> None:
        payer, payee = await branch.pair(100_00)
        transfer_id = await branch.approvable(payer, payee)
        with lost(branch.doors[ACCOUNTS], answers_only=True):
            await branch.cancel(transfer_id)
            await eventually(lambda: self._is_free(branch, payer), within=WITHIN)
            assert (await branch.clerk.get(transfer_id)).status == pb.TRANSFER_STATUS_RELEASING
        await branch.clerk.reach(transfer_id, CANCELLED)
        assert await branch.balances(payer, payee) == [100_00, 0]

    @staticmethod
    async def _is_free(branch: Branch, account: str) -> bool:
        balance, available = await branch.teller.balance(account)
        return balance == available

    async def test_a_verdict_that_is_lost_is_asked_for_again(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SMALL)
        with lost(branch.doors[FRAUD], answers_only=True):
            transfer_id = await branch.clerk.initiate(SMALL, payer, payee)
            await branch.clerk.reach(transfer_id, pb.TRANSFER_STATUS_SCREENING)
        done = await branch.clerk.reach(transfer_id, COMPLETED)
        assert (done.verdict, done.unscreened) == (pb.VERDICT_ACCEPT, pb.UNSCREENED_UNSPECIFIED)

    async def test_a_cancellation_and_an_approval_at_once_have_one_winner_and_both_are_told(
        self, branch: Branch
    ) -> None:
        for turn in range(6):
            payer, payee = await branch.pair(LARGE)
            transfer_id = await branch.approvable(payer, payee)
            both = [branch.approve(transfer_id), branch.cancel(transfer_id)]
            if turn % 2:
                both.reverse()
            answers = await asyncio.gather(*both, return_exceptions=True)
            approved, cancelled = [
                not isinstance(one, BaseException) for one in (answers[::-1] if turn % 2 else answers)
            ]
            assert approved != cancelled
            ended = await branch.clerk.reach(transfer_id, COMPLETED, CANCELLED)
            assert (ended.status == COMPLETED) == approved
            assert await branch.balances(payer, payee) == ([0, LARGE] if approved else [LARGE, 0])

    async def test_a_refund_that_comes_before_the_end_waits_for_it_and_is_paid_once(self, branch: Branch) -> None:
        payer, payee = await branch.pair(LARGE)
        transfer_id = await branch.approvable(payer, payee)
        await branch.refund(transfer_id)
        assert (await refusal(branch.refund(transfer_id))).reason == "REFUNDED_ALREADY"
        await branch.approve(transfer_id)
        assert (await branch.refunded(transfer_id)).status == COMPLETED
        assert (await refusal(branch.refund(transfer_id))).reason == "REFUNDED_ALREADY"
        assert await branch.balances(payer, payee) == [LARGE, 0]

    async def test_two_refunds_at_once_are_one(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SMALL)
        transfer_id = (await branch.clerk.move(SMALL, payer, payee)).transfer_id
        both = await asyncio.gather(*(branch.refund(transfer_id) for _ in range(2)), return_exceptions=True)
        assert sum(isinstance(one, grpc.aio.AioRpcError) for one in both) == 1
        await branch.refunded(transfer_id)
        assert await branch.balances(payer, payee) == [SMALL, 0]

    async def test_a_refund_of_money_that_is_spent_is_refused_and_may_be_asked_for_again(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SMALL)
        transfer_id = (await branch.clerk.move(SMALL, payer, payee)).transfer_id
        await branch.teller.withdraw(payee, 1)
        await branch.refund(transfer_id)
        await branch.refunded(transfer_id, pb.REFUND_STATUS_REFUSED)
        await branch.teller.deposit(payee, 1)
        await branch.refund(transfer_id)
        await branch.refunded(transfer_id)
        assert await branch.balances(payer, payee) == [SMALL, 0]

    async def test_a_refund_to_a_closed_payer_goes_to_the_suspense_account_or_waits_for_one(
        self, branch: Branch
    ) -> None:
        payer = await branch.account(currency="USD")
        payee = await branch.account(currency="USD")
        dollars = Money(minor_units=SMALL, currency="USD")
        deposit = {"purpose": accounts.PURPOSE_DEPOSIT, "reference": "cash"}
        await branch.teller.ask("Credit", account_id=payer, amount=dollars, **deposit)
        transfer_id, asked = branch.clerk.ids.new(), terms(SMALL, payer, payee)
        asked.amount.CopyFrom(dollars)
        await branch.clerk.ask("InitiateTransfer", transfer_id=transfer_id, terms=asked)
        await branch.clerk.reach(transfer_id, COMPLETED)
        await branch.teller.ask("CloseAccount", account_id=payer)
        await branch.refund(transfer_id)
        await branch.refunded(transfer_id, pb.REFUND_STATUS_STUCK)
        suspense = {"kind": kinds.ACCOUNT_KIND_SUSPENSE, "holder_id": "", "currency": "USD"}
        await branch.teller.open("suspense-usd", **suspense)
        await branch.clerk.ask("ResumeTransfer", transfer_id=transfer_id)
        assert (await branch.refunded(transfer_id)).refund_parked
        assert await branch.balances(payer, payee, "suspense-usd") == [0, 0, SMALL]

    @pytest.mark.parametrize("code", ["ACCOUNT_FROZEN", "ACCOUNT_CLOSED", "NOT_FOUND"])
    async def test_a_payee_that_takes_nothing_gives_the_money_back(self, branch: Branch, code: str) -> None:
        payer, payee = await branch.pair(SMALL)
        match code:
            case "ACCOUNT_FROZEN":
                await branch.teller.ask("FreezeAccount", account_id=payee, reason="why", by="clerk")
            case "ACCOUNT_CLOSED":
                await branch.teller.ask("CloseAccount", account_id=payee)
            case _:
                payee = branch.name("nobody")
        failed = await branch.clerk.move(SMALL, payer, payee)
        assert (failed.status, failed.code, failed.parked) == (FAILED, code, False)
        assert await branch.balances(payer) == [SMALL]

    async def test_a_payer_that_is_frozen_before_the_capture_keeps_the_money(self, branch: Branch) -> None:
        payer, payee = await branch.pair(LARGE)
        transfer_id = await branch.approvable(payer, payee)
        await branch.teller.ask("FreezeAccount", account_id=payer, reason="why", by="clerk")
        await branch.approve(transfer_id)
        assert (await branch.clerk.reach(transfer_id, FAILED)).code == "ACCOUNT_FROZEN"
        assert await branch.balances(payer, payee) == [LARGE, 0]

    async def test_without_funds_and_beyond_the_daily_limit_nothing_moves(self, branch: Branch) -> None:
        payer, payee = await branch.pair(60_000_00)
        assert (await branch.clerk.move(60_000_01, payer, payee)).code == "DAILY_LIMIT"
        poor, _ = await branch.pair(SMALL)
        assert (await branch.clerk.move(SMALL + 1, poor, payee)).code == "INSUFFICIENT_FUNDS"
        assert (await branch.clerk.move(SMALL, poor, payee)).status == COMPLETED
        assert await branch.balances(payer, poor, payee) == [60_000_00, 0, SMALL]

    @pytest.mark.parametrize("is_fraud", [True, False])
    async def test_a_review_decides(self, branch: Branch, is_fraud: bool) -> None:
        payer, payee = await branch.pair(SUSPICIOUS)
        transfer_id = await branch.clerk.initiate(SUSPICIOUS, payer, payee)
        await branch.clerk.reach(transfer_id, pb.TRANSFER_STATUS_IN_REVIEW)
        await branch.clerk.decide(transfer_id, is_fraud=is_fraud)
        if is_fraud:
            assert (await branch.clerk.reach(transfer_id, FAILED)).code == "FRAUD"
        else:
            await branch.clerk.reach(transfer_id, AWAITING_APPROVAL)
            await branch.approve(transfer_id)
            await branch.clerk.reach(transfer_id, COMPLETED)
        assert await branch.balances(payer, payee) == ([SUSPICIOUS, 0] if is_fraud else [0, SUSPICIOUS])

    async def test_a_transfer_that_fraud_blocks_holds_nothing(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SUSPICIOUS + 9)
        for _ in range(9):
            await branch.clerk.move(1, payer, payee)
        blocked = await branch.clerk.move(SUSPICIOUS, payer, await branch.account())
        assert (blocked.status, blocked.code, blocked.verdict) == (FAILED, "FRAUD_SUSPECTED", pb.VERDICT_BLOCK)
        assert await branch.balances(payer, payee) == [SUSPICIOUS, 9]

    async def test_a_file_is_taken_once_and_a_wrong_one_not_at_all(self, branch: Branch) -> None:
        message = branch.name("m")
        payer = await branch.account(SMALL)
        wrong = {"XX00370400440532013000": "AC01", GOOD_IBAN: "AC01"}
        sent = [Sent(payee=payee, end_to_end=f"e-{number}") for number, payee in enumerate(wrong)]
        yen = Sent(currency="JPY", amount="10.50", end_to_end="e-yen")
        lines = [*sent, yen, Sent(payee=payer, end_to_end="e-self"), Sent(end_to_end="e-good", amount="0.01")]
        for faulty in (file_of(lines, message_id=message, count=2), file_of(lines, message_id=message, total="9.00")):
            refused = await refusal(self._send(branch, faulty, payer))
            assert refused.reason == "AM10"
        answer = await self._send(branch, file_of(lines, message_id=message, payer=payer), payer)
        assert (answer.accepted, answer.refused) == (2, 3)
        again = await refusal(self._send(branch, file_of(lines, message_id=message, payer=payer), payer))
        assert again.reason == "AM05"

    @staticmethod
    async def _send(branch: Branch, data: bytes, payer: str) -> Any:
        return await branch.clerk.ask("SubmitFile", customer_id=f"of-{payer}", initiated_by="clerk", xml=data)

    async def test_the_audit_of_all_journeys_is_silent(self, branch: Branch) -> None:
        await eventually(branch.sound, within=WITHIN)


class ImpatientJourneys:
    """Transfers whose verdict or approval does not come in time. Fraud is away."""

    async def test_without_a_verdict_and_an_approval_in_time_the_transfer_fails_and_holds_nothing(
        self, branch: Branch
    ) -> None:
        payer, payee = await branch.pair(SMALL)
        failed = await branch.clerk.move(SMALL, payer, payee)
        assert (failed.code, failed.unscreened) == ("NOT_APPROVED", pb.UNSCREENED_APPROVE)
        assert await branch.balances(payer, payee) == [SMALL, 0]

    async def test_an_approval_and_its_deadline_have_one_winner_and_the_person_is_told(self, branch: Branch) -> None:
        for wait in (0.0, 0.5, 0.9, 1.0, 1.1):
            payer, payee = await branch.pair(SMALL)
            transfer_id = await branch.clerk.initiate(SMALL, payer, payee)
            await branch.clerk.until(transfer_id, lambda transfer: transfer.unscreened == pb.UNSCREENED_APPROVE)
            await asyncio.sleep(wait)
            refused = await refused_with(branch.approve(transfer_id))
            approved = refused is None
            assert refused in (None, "NOT_AWAITING_APPROVAL")
            ended = await branch.clerk.reach(transfer_id, COMPLETED, FAILED)
            assert (ended.status == COMPLETED) == approved
            assert await branch.balances(payer, payee) == ([0, SMALL] if approved else [SMALL, 0])

    async def test_a_cancellation_and_a_deadline_free_the_money_once(self, branch: Branch) -> None:
        payer, payee = await branch.pair(SMALL)
        transfer_id = await branch.clerk.initiate(SMALL, payer, payee)
        await branch.cancel(transfer_id)
        await branch.clerk.reach(transfer_id, CANCELLED)
        assert await branch.balances(payer, payee) == [SMALL, 0]

    async def test_the_audit_of_all_journeys_is_silent(self, branch: Branch) -> None:
        await eventually(branch.sound, within=WITHIN)
