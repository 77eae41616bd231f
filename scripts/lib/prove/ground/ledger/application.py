"""What the ledger can do, and how it fails on purpose."""

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
    """Raises for the movements that cannot be noted just now."""

    def suffer(self, command: NoteMovement) -> None: ...


class Broken(Exception):
    """The ledger cannot note this movement, for no good reason."""


class EveryNth:
    """Fails with every n-th movement of an account, for its first attempts in this process. With 0 it never fails."""

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
