"""The failures of holds, postings and corrections at Accounts. A subclass has the fixture `branch`."""

import asyncio
from typing import Any

import grpc
from finance.accounts.v1 import accounts_service_pb2 as accounts
from treaty.testing import eventually
from treaty.testing.clients import refusal

from tests.journeys.money import (
    WITHIN,
    Branch,
    refused_with,
)


class HoldJourneys:
    """Each failure of a hold, a posting or a correction at Accounts."""

    async def test_six_holds_of_a_thousand_at_once_on_five_thousand_are_five(self, branch: Branch) -> None:
        account = await branch.account(5_000)
        asked = [branch.teller.reserve(account, 1_000) for _ in range(6)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        held = [one.hold_id for one in answers if not isinstance(one, BaseException)]
        assert len(held) == 5
        assert await branch.teller.balance(account) == (5_000, 0)
        assert (await refusal(branch.teller.reserve(account, 1))).reason == "INSUFFICIENT_FUNDS"
        await asyncio.gather(*(self._release(branch, account, hold) for hold in held))
        assert await branch.balances(account) == [5_000]

    @staticmethod
    async def _release(branch: Branch, account: str, hold: str, **more: Any) -> None:
        await branch.teller.ask("Release", account_id=account, hold_id=hold, **more)

    async def test_a_hold_that_is_given_up_twice_or_captured_afterwards_is_refused_by_name(
        self, branch: Branch
    ) -> None:
        account = await branch.account(100)
        hold, asked = (await branch.teller.reserve(account, 100)).hold_id, branch.teller.ids.new()
        await self._release(branch, account, hold, request_id=asked)
        await self._release(branch, account, hold, request_id=asked)
        assert (await refusal(self._release(branch, account, hold))).reason == "HOLD_RELEASED"
        assert (await refusal(branch.teller.capture(account, hold, 100))).reason == "HOLD_RELEASED"
        assert await branch.balances(account) == [100]

    async def test_two_captures_at_once_are_one_posting(self, branch: Branch) -> None:
        account = await branch.account(100)
        hold = (await branch.teller.reserve(account, 100)).hold_id
        both = await asyncio.gather(
            *(branch.teller.capture(account, hold, 60) for _ in range(2)), return_exceptions=True
        )
        assert sum(isinstance(one, grpc.aio.AioRpcError) for one in both) == 1
        assert await branch.balances(account) == [40]

    async def test_a_capture_of_more_than_the_hold_is_refused_and_of_less_frees_the_rest(self, branch: Branch) -> None:
        account = await branch.account(100)
        hold = (await branch.teller.reserve(account, 60)).hold_id
        assert (await refusal(branch.teller.capture(account, hold, 61))).reason == "CAPTURE_TOO_LARGE"
        await branch.teller.capture(account, hold, 10)
        assert await branch.balances(account) == [90]

    async def test_a_reservation_that_is_tried_again_is_one_hold_and_another_one_isrefused_with(
        self, branch: Branch
    ) -> None:
        account, asked = await branch.account(100), branch.teller.ids.new()
        first, again = [await branch.teller.reserve(account, 60, request_id=asked) for _ in range(2)]
        assert first == again
        other = await refusal(branch.teller.reserve(account, 61, request_id=asked))
        assert other.code is grpc.StatusCode.INVALID_ARGUMENT
        await self._release(branch, account, first.hold_id)
        assert await branch.balances(account) == [100]

    async def test_an_expiry_and_a_capture_have_one_winner_and_the_hold_is_shown_so(self, branch: Branch) -> None:
        account = await branch.account(1_000)
        holds = [(await branch.teller.reserve(account, 10, seconds=0.5)).hold_id for _ in range(6)]
        captured = 0
        for hold in holds:
            await asyncio.sleep(0.1)
            refused = await refused_with(branch.teller.capture(account, hold, 10))
            assert refused in (None, "HOLD_EXPIRED")
            captured += refused is None
        await eventually(lambda: self._is(branch, account, 1_000 - 10 * captured), within=WITHIN)

    @staticmethod
    async def _is(branch: Branch, account: str, units: int) -> bool:
        return await branch.teller.balance(account) == (units, units)

    async def test_a_capture_after_the_time_is_refused_before_its_end_is_recorded(self, branch: Branch) -> None:
        account = await branch.account(100)
        hold = (await branch.teller.reserve(account, 100, seconds=0.001)).hold_id
        assert (await refusal(branch.teller.capture(account, hold, 100))).reason == "HOLD_EXPIRED"
        await branch.teller.withdraw(account, 100)
        assert await branch.balances(account) == [0]

    async def test_a_correction_that_two_people_approve_at_once_is_one_posting(self, branch: Branch) -> None:
        account = await branch.account()
        posting = (await branch.teller.deposit(account, 100)).posting_id

        async def proposed() -> bool:
            proposal = branch.teller.ask("ProposeCorrection", posting_id=posting, reason="typed twice", by="ann")
            return await refused_with(proposal) is None

        await eventually(proposed, within=WITHIN)  # the statement shows the posting some milliseconds later
        approvals = [branch.teller.ask("ApproveCorrection", posting_id=posting, by=by) for by in ("bob", "cleo")]
        await asyncio.gather(*approvals, return_exceptions=True)
        await branch.has(account, 0)
        found = await branch.teller.ask("GetCorrection", posting_id=posting)
        assert found.correction.status in (accounts.CORRECTION_STATUS_APPROVED, accounts.CORRECTION_STATUS_POSTED)
        again = branch.teller.ask("ProposeCorrection", posting_id=posting, reason="again", by="ann")
        assert (await refusal(again)).code is grpc.StatusCode.FAILED_PRECONDITION
        assert await branch.balances(account) == [0]

    async def test_the_audit_of_all_journeys_is_silent(self, branch: Branch) -> None:
        await eventually(branch.sound, within=WITHIN)
