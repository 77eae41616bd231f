"""The use cases of the accounts, and their policy."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.dependencies import DependencyAway
from treaty.domain import Call, Rejected
from treaty.sagas import Run, Saga

from scripts.lib.prove.ground.accounts.domain import Account, Acknowledged, Moved
from scripts.lib.prove.ground.accounts.sagas import Asked, Give, Given, Refused, Take, Taken, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteStep:
    """A step of a transfer is done, and the transfer must record it."""

    transfer: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    account: str
    number: int


class BankAway(DependencyAway):
    """Another bank, which has some of the accounts, does not answer. The error is deliberate, for the proof."""

    def __init__(self, bank: str) -> None:
        super().__init__(f"{bank} does not answer")
        self.dependency = bank


HANGING, REFUSING = "hanging-bank", "refusing-bank"
"""The banks that may be away: their accounts begin with the bank's name. One leaves its callers waiting."""

AWAY: set[str] = set()
"""The banks that are away, while the proof keeps them away."""

_HANGS_SECONDS = 30.0


async def _reach(account: str) -> None:
    """Reaches the bank of an account."""
    for bank in AWAY:
        if account.startswith(bank):
            await asyncio.sleep(_HANGS_SECONDS if bank == HANGING else 0.0)
            raise BankAway(bank)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The use cases. `patience` is the number of seconds after which the money of a transfer is given back."""

    accounts: Repository[Account]
    transfers: Saga[Transfer]
    clock: Clock
    patience: float

    async def move(self, account: str, amount: int) -> Committed[Account]:
        return await self.accounts.add(account, lambda found: found.move(amount))

    async def transfer(self, id: str, source: str, target: str, amount: int) -> Committed[Run[Transfer]]:
        within = timedelta(seconds=self.patience)
        until = self.clock.now() + within
        return await self.transfers.tell(
            Asked(transfer=id, source=source, target=target, amount=amount, until=until, within=within)
        )

    async def acknowledge(self, command: Acknowledge) -> None:
        await self.accounts.add(command.account, lambda account: account.acknowledge(command.number))

    async def take(self, command: Take) -> None:
        await _reach(command.account)
        try:
            await self.accounts.add(
                command.account, lambda account: account.move(-command.amount, transfer=command.transfer, step="take")
            )
        except Rejected:
            await self.transfers.tell(Refused(transfer=command.transfer))

    async def give(self, command: Give) -> None:
        await self.accounts.add(
            command.account, lambda account: account.move(command.amount, transfer=command.transfer, step=command.step)
        )

    async def note_step(self, command: NoteStep) -> None:
        fact = Taken(transfer=command.transfer)
        await self.transfers.tell(
            fact if command.step == "take" else Given(transfer=command.transfer, step=command.step)
        )


def note_steps(account: Account, event: Moved | Acknowledged) -> Sequence[Call]:
    """Policy: returns a call that reports a movement to the transfer to which it belongs."""
    if isinstance(event, Moved) and event.transfer:
        return [Call(NoteStep(transfer=event.transfer, step=event.step))]
    return ()
