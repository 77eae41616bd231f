"""The books of a bank, read from the log of Accounts, posting by posting: what must hold at every position of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from treaty.commits.commit import Commit

from scripts.lib.prove.checker import Verdict
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import (
    AccountEvent,
    HoldCaptured,
    HoldExpired,
    HoldPlaced,
    HoldReleased,
    Posted,
)
from services.finance.accounts.domain.kinds import Kind
from services.finance.accounts.domain.postings import Contra, Posting, Purpose
from services.finance.accounts.storage import ACCOUNTS

SUSPENSE = "the suspense account"
"""Stands for each account of this kind in the postings of a transfer."""

Movement = tuple[str, Purpose, int]
"""A posting of a transfer: (account, purpose, minor units)."""


@dataclass(slots=True)
class Books:
    """Adds up the postings, and records what is wrong with them. Amounts are minor units of one currency.

    Attributes:
        accounts: the state of each account, folded from its events.
        balances: the balance of each account, added up from its postings and not taken from the accounts' own sums.
        contras: the sum of each contra.
        transit: the units of each transfer that were taken from one account and not given to another one yet.
        movements: the postings of each transfer, and how often each was made.
        holds: for each hold, the account, and how often it has ended.
    """

    found: Verdict
    accounts: dict[str, Account] = field(default_factory=dict)
    balances: Counter[str] = field(default_factory=Counter)
    contras: Counter[Contra] = field(default_factory=Counter)
    transit: Counter[str] = field(default_factory=Counter)
    movements: defaultdict[str, Counter[Movement]] = field(default_factory=lambda: defaultdict(Counter))
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    _stated: int = 0
    _off: int = 0

    def read(self, commit: Commit) -> None:
        """Takes the next commit of the log."""
        if not ACCOUNTS.owns(commit.stream):
            return
        id = ACCOUNTS.id_of(commit.stream)
        account = self.accounts.setdefault(id, Account(id=id))
        for document in commit.events:
            event: AccountEvent = ACCOUNTS.events.decode(document)
            before = account.balance
            account.evolve(event)
            self._note_hold(id, event)
            if isinstance(event, Posted):
                self._stated += account.balance - before
                self._post(account, event.posting, f"{id}@{commit.version}")
        if account.kind is Kind.CUSTOMER and account.available < 0:
            self.found.untrue.append(f"{account.available} of account {id} was available in version {commit.version}")

    def _post(self, account: Account, posting: Posting, place: str) -> None:
        units = posting.amount.minor_units
        self.balances[account.id] += units
        self.contras[posting.contra] -= units
        if posting.balance != self.balances[account.id]:
            self.found.untrue.append(
                f"the balance in {place} is {posting.balance}, but its postings are {self.balances[account.id]}"
            )
        off = self._stated + self.contras.total()
        if off and off != self._off:
            self.found.untrue.append(f"the books are off by {off} after {place}")
        self._off = off
        if posting.contra is Contra.TRANSFERS:
            self._move(account, posting, place)

    def _move(self, account: Account, posting: Posting, place: str) -> None:
        """Records a posting of a transfer. What is given must have been taken before, once."""
        transfer, units = posting.reference, posting.amount.minor_units
        name = SUSPENSE if account.kind is Kind.SUSPENSE else account.id
        self.movements[transfer][name, posting.purpose, units] += 1
        self.transit[transfer] -= units
        if self.transit[transfer] < 0:
            self.found.duplicate_effects.append(
                f"transfer {transfer} gave {-self.transit[transfer]} more than it had taken, in {place}"
            )

    def _note_hold(self, account: str, event: AccountEvent) -> None:
        match event:
            case HoldPlaced():
                self.holds[event.hold.hold_id] = (account, 0)
            case HoldCaptured() | HoldReleased() | HoldExpired():
                owner, ends = self.holds.get(event.hold_id, (account, 0))
                self.holds[event.hold_id] = (owner, ends + 1)
                if ends:
                    self.found.duplicate_effects.append(f"hold {event.hold_id} of {owner} ended {ends + 1} times")
            case _:
                return

    def close(self) -> None:
        """Records what is left at the end, when all work is done: there must be no hold, and no money in transit."""
        for id, (account, ends) in self.holds.items():
            if not ends:
                self.found.lost.append(f"hold {id} of {account} has not ended")
        for transfer, units in self.transit.items():
            if units > 0:
                self.found.lost.append(f"{units} of transfer {transfer} is left in transit")

    def made(self, transfer: str) -> Mapping[Movement, int]:
        """Returns the postings of a transfer, and how often each was made."""
        return dict(self.movements.get(transfer, {}))

    @property
    def paid_in(self) -> int:
        """The units that came from outside."""
        return -self.contras[Contra.CASH]
