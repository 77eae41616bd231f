"""A bank: the small domain that the tests of the toolkit use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.wrappers_pb2 import Int64Value
from treaty.causes import Cause
from treaty.commits.codec import Names, Shape
from treaty.commits.commit import Commit, Committed
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import CommitLog
from treaty.commits.repository import Limits, Repository
from treaty.commits.store import Inserted, OutcomeUnknown
from treaty.commits.stored import Stored
from treaty.domain import Aggregate, Call, Invalid, Policy, Rejected
from treaty.memory.commits import MemoryCommits
from treaty.surroundings import Surroundings
from treaty.testing.recorder import Recorder
from treaty.testing.world import ManualClock, SeededChance, SeededIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A command that follows a withdrawal."""

    text: str


@dataclass(slots=True, kw_only=True)
class Account(Aggregate[Deposited | Withdrawn]):
    balance: int = 0

    def deposit(self, amount: int) -> None:
        if amount < 0:
            raise Invalid("a deposit is positive", field="amount")
        if amount:
            self.record(Deposited(amount=amount))

    def withdraw(self, amount: int) -> None:
        if amount > self.balance:
            raise Rejected(f"{amount} wanted, {self.balance} there", reason="INSUFFICIENT_FUNDS")
        self.record(Withdrawn(amount=amount))

    def evolve(self, event: Deposited | Withdrawn) -> None:
        match event:
            case Deposited():
                self.balance += event.amount
            case Withdrawn():
                self.balance -= event.amount


EVENTS = [Shape("deposited", Deposited), Shape("withdrawn", Withdrawn)]
ACCOUNTS = Stored("account", Account, EVENTS)
COMMANDS = Names([Shape("ring", Ring)])


def announce(account: Account, event: Deposited | Withdrawn) -> Sequence[Any]:
    """Policy: publishes the balance after every event."""
    return [Int64Value(value=account.balance)]


def alarm(account: Account, event: Deposited | Withdrawn) -> Sequence[Any]:
    """Policy: rings after every withdrawal."""
    return [Call(Ring(text=str(event.amount)))] if isinstance(event, Withdrawn) else []


def deposit(amount: int) -> Callable[[Account], None]:
    return lambda account: account.deposit(amount)


def withdraw(amount: int) -> Callable[[Account], None]:
    return lambda account: account.withdraw(amount)


def request(id: str, *, digest: str = "") -> Cause:
    """A client's command."""
    return Cause(id=id, digest=digest)


def message(id: str) -> Cause:
    """A message that comes again until it is done with."""
    return Cause(id=id, durable=True)


@dataclass(slots=True)
class Bank:
    """A commit log in memory, and repositories on it, as several processes would have."""

    store: "WatchedCommits" = field(default_factory=lambda: WatchedCommits())
    probe: Recorder = field(default_factory=Recorder)
    seed: int = 0

    def log(self) -> GroupCommitLog:
        """Returns the log as another process opens it."""
        return GroupCommitLog(
            self.store, surroundings=Surroundings(chance=SeededChance(self.seed, scale=0.05), probe=self.probe)
        )

    def accounts(
        self,
        *,
        log: CommitLog | None = None,
        stored: Stored[Account] = ACCOUNTS,
        policies: Sequence[Policy] = (),
        **limits: int,
    ) -> Repository[Account]:
        """Returns what another process would have: a cache and lanes of its own."""
        self.seed += 1
        return Repository(
            log or self.log(),
            stored,
            surroundings=Surroundings(
                clock=ManualClock(),
                ids=SeededIds(str(self.seed)),
                chance=SeededChance(self.seed, scale=0.05),
                probe=self.probe,
            ),
            policies=policies,
            commands=COMMANDS,
            limits=Limits(**limits),
        )

    @property
    def commits(self) -> Sequence[Commit]:
        """Everything that is durable, in the order of the log."""
        return self.store.commits

    async def history(self, id: str) -> list[Commit]:
        return list(await self.store.read(ACCOUNTS.stream_of(id)))

    async def balance(self, id: str) -> int:
        """Returns what is durable, whatever a cache says."""
        return ACCOUNTS.fold(id, (event for commit in await self.history(id) for event in commit.events)).balance


def balances(answers: Sequence[Committed[Account]]) -> list[int]:
    return [answer.state.balance for answer in answers]


class WatchedCommits(MemoryCommits):
    """Remembers what was sent, and how often causes were looked up. A `rival` wins the race against the next batch."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.sent: list[Commit] = []
        self.lookups = 0
        self.rival: Commit | None = None

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        self.sent += commits
        if self.rival is not None:
            rival, self.rival = self.rival, None
            await super().insert([rival])
            raise OutcomeUnknown("the connection broke; a rival was faster")
        return await super().insert(commits)

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        self.lookups += 1
        return await super().caused_by(stream, causes)
