"""The use cases that move money. Each request has one outcome for ever, also if the outcome is a refusal.

A transfer acts on refusals: it gives money back. So a refusal is committed, like an effect. An attempt of the same
request that comes late, from a process that was frozen, gets the refusal too and moves nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from treaty.causes import Cause, current_cause
from treaty.clock import Clock
from treaty.commits import Committed, Repository

from services.finance.accounts.application.commands import Capture, Credit, Debit, Release, Reserve
from services.finance.accounts.domain.account import Account


def definite() -> Cause:
    """Returns the current cause such that a refusal is committed: it is the answer to every repeat."""
    return replace(current_cause(), durable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movements:
    """The use cases that move money."""

    accounts: Repository[Account]
    clock: Clock

    async def reserve(self, command: Reserve) -> Committed[Account]:
        """Holds money until it is captured or released, or its time is over."""
        return await self._move(
            command.account_id,
            lambda account, now: account.reserve(command.hold_id, command.amount, command.lasts, now),
        )

    async def capture(self, command: Capture) -> Committed[Account]:
        """Takes held money. If it is only a part, the rest is free again."""
        return await self._move(
            command.account_id,
            lambda account, now: account.capture(command.hold_id, command.amount, command.reference, now),
        )

    async def release(self, command: Release) -> Committed[Account]:
        return await self._move(command.account_id, lambda account, now: account.release(command.hold_id, now))

    async def credit(self, command: Credit) -> Committed[Account]:
        """Puts money into an account, from the contra of the purpose."""
        return await self._move(
            command.account_id,
            lambda account, now: account.credit(command.amount, command.purpose, command.reference, now),
        )

    async def debit(self, command: Debit) -> Committed[Account]:
        """Takes money out of an account, to the contra of the purpose."""
        return await self._move(
            command.account_id,
            lambda account, now: account.debit(command.amount, command.purpose, command.reference, now),
        )

    async def _move(self, account_id: str, decide: Callable[[Account, datetime], None]) -> Committed[Account]:
        now = self.clock.now()
        return await self.accounts.change(account_id, lambda account: decide(account, now), cause=definite())
