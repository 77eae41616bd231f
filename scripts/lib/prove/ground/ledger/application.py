"""The use cases of the ledger, and their deliberate failures."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from treaty.commits import Committed, Repository

from scripts.lib.prove.ground.ledger.domain import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteMovement:
    account: str
    number: int
    amount: int


class Frailty(Protocol):
    """Raises an error for the movements that cannot be noted yet."""

    def suffer(self, command: NoteMovement) -> None: ...


class Broken(Exception):
    """The ledger cannot note this movement yet. The error is deliberate, for the proof."""


class EveryNth:
    """Fails for every n-th movement of an account, at the first attempts in this process. With 0 it never fails."""

    def __init__(self, n: int, attempts: int) -> None:
        self._n, self._attempts = n, attempts
        self._seen: Counter[tuple[str, int]] = Counter()

    def suffer(self, command: NoteMovement) -> None:
        if not self._n or command.number % self._n:
            return
        key = command.account, command.number
        self._seen[key] += 1
        if self._seen[key] <= self._attempts:
            raise Broken(f"movement {command.number} of {command.account} cannot be noted yet")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The use cases."""

    pages: Repository[Page]
    frailty: Frailty

    async def note(self, command: NoteMovement) -> None:
        self.frailty.suffer(command)
        await self.pages.add(command.account, lambda page: page.note(command.number, command.amount))

    async def page(self, account: str) -> Committed[Page]:
        return await self.pages.get(account)
