"""The checker: the answers to the clients must agree with the stores, and each command must have taken effect once.

It reads only the commit logs and the rows of both contexts, and no reports of the processes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from treaty.commits.commit import Commit
from treaty.commits.stored import Stored
from treaty.operations.audit import history
from treaty.projections.projection import Projection
from treaty.service.stores import Stores

from scripts.lib.prove.ground import ACCOUNTS, LEDGER
from scripts.lib.prove.ground.accounts import domain as account
from scripts.lib.prove.ground.accounts.sagas import Transfer
from scripts.lib.prove.ground.accounts.service import ACCOUNTS as STORED_ACCOUNTS
from scripts.lib.prove.ground.accounts.service import BALANCES, TRANSFERS
from scripts.lib.prove.ground.ledger import domain as page
from scripts.lib.prove.ground.ledger.service import PAGES, SIZES, TOTALS


@dataclass(slots=True)
class Operation:
    """A client's command, and its final outcome.

    A refusal is final only if the command was sent once. After several attempts, an earlier attempt without an answer
    may still be on its way; it is decided when it arrives.

    Attributes:
        cause: the id of the command in the log, if it took effect.
        answer: the number of the movement.
        asked: the number of attempts.
    """

    cause: str
    outcome: Literal["unknown", "ok", "refused"] = "unknown"
    answer: int = 0
    asked: int = 0


KINDS = ("lost", "duplicate_effects", "order_violations", "unknown_unresolved", "untrue", "unsettled")
"""The kinds of faults, by the names of a verdict's lists."""


@dataclass(slots=True)
class Verdict:
    """The faults, as sentences. If all lists are empty, nothing is wrong.

    `unsettled` says which work was left when nothing moved any more; then it is not known whether something is lost.
    """

    commands: int = 0
    events: int = 0
    lost: list[str] = field(default_factory=list)
    duplicate_effects: list[str] = field(default_factory=list)
    order_violations: list[str] = field(default_factory=list)
    unknown_unresolved: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [fault for kind in KINDS for fault in getattr(self, kind)]


async def check(operations: Iterable[Operation], stores: Mapping[str, Stores], *, settled: bool) -> Verdict:
    """Checks the conditions that must hold at any time; with `settled`, also those that must hold when no work is left.

    Args:
        settled: whether the faults have ended and all work is done. Then nothing may be missing.
    """
    accounts = [commit async for commit in history(stores[ACCOUNTS].log)]
    ledger = [commit async for commit in history(stores[LEDGER].log)]
    found = Verdict(events=sum(len(commit.outbox) for commit in [*accounts, *ledger]))
    _check_versions(ACCOUNTS, accounts, found)
    _check_versions(LEDGER, ledger, found)
    _check_operations(operations, accounts, found, settled)
    movements = _movements(accounts)
    pages = {stream: list(_events(PAGES, commits)) for stream, commits in _by_stream(PAGES, ledger).items()}
    _check_pages(movements, pages, found, settled)
    _check_acknowledged(accounts, movements, found, settled)
    _check_transfers(accounts, movements, found, settled)
    if settled:
        await _check_states(STORED_ACCOUNTS, accounts, stores[ACCOUNTS], found)
        await _check_states(PAGES, ledger, stores[LEDGER], found)
        await _check_rows(BALANCES, accounts, stores[ACCOUNTS], found)
        await _check_rows(TOTALS, ledger, stores[LEDGER], found)
        await _check_rows(SIZES, ledger, stores[LEDGER], found)
        for name in (ACCOUNTS, LEDGER):
            for item in await stores[name].quarantine.find():
                found.lost.append(f"{name}: {item.id} is still in quarantine: {item.error or 'waits behind another'}")
    return found


def _check_versions(name: str, commits: Sequence[Commit], found: Verdict) -> None:
    versions: dict[str, list[int]] = defaultdict(list)
    for commit in commits:
        versions[commit.stream].append(commit.version)
    for stream, seen in versions.items():
        if sorted(seen) != list(range(1, len(seen) + 1)):
            found.lost.append(f"{name}: {stream} has versions {sorted(seen)}")
    repeats = Counter((c.stream, cause.id) for c in commits for cause in c.causes)
    found.duplicate_effects += [f"{name}: {key} took effect {n} times" for key, n in repeats.items() if n > 1]


def _check_operations(
    operations: Iterable[Operation], accounts: Sequence[Commit], found: Verdict, settled: bool
) -> None:
    numbers = dict(_answers(accounts))
    for operation in operations:
        found.commands += 1
        number = numbers.get(operation.cause)
        match operation.outcome:
            case "ok" if number is None:
                found.lost.append(f"{operation.cause} was answered with OK, but is not in the log")
            case "ok" if operation.answer and number != operation.answer:
                found.untrue.append(f"{operation.cause} was answered {operation.answer}, but is movement {number}")
            case "refused" if number is not None and operation.asked == 1:
                found.untrue.append(f"{operation.cause} was refused, but took effect")
            case "unknown" if settled:
                found.unknown_unresolved.append(f"{operation.cause} has no answer")


def _answers(accounts: Sequence[Commit]) -> Iterator[tuple[str, int]]:
    """Yields the cause of each command that took effect, with the number of its movement (0 if it moved nothing)."""
    for commit in accounts:
        start = 0
        for cause in commit.causes:
            own = (
                [STORED_ACCOUNTS.events.decode(e) for e in commit.events[start : start + cause.events]]
                if (STORED_ACCOUNTS.owns(commit.stream))
                else []
            )
            start += cause.events
            moved = [event for event in own if isinstance(event, account.Moved)]
            yield cause.id, moved[0].number if moved else 0


def _movements(accounts: Sequence[Commit]) -> Mapping[str, list[account.Moved]]:
    streams = _by_stream(STORED_ACCOUNTS, accounts)
    return {
        id: [event for event in _events(STORED_ACCOUNTS, commits) if isinstance(event, account.Moved)]
        for id, commits in streams.items()
    }


def _check_pages(
    movements: Mapping[str, list[account.Moved]],
    pages: Mapping[str, list[page.PageEvent]],
    found: Verdict,
    settled: bool,
) -> None:
    """Checks that the ledger has every movement once and in order. Before all is settled, the latest may be missing."""
    for id, events in pages.items():
        noted = [(event.number, event.amount) for event in events if isinstance(event, page.Noted)]
        for event in events:
            match event:
                case page.Repeated():
                    found.duplicate_effects.append(f"the ledger noted movement {event.number} of {id} again")
                case page.OutOfTurn():
                    found.order_violations.append(f"movement {event.number} of {id} came before {event.expected}")
        real = [(moved.number, moved.amount) for moved in movements.get(id, [])]
        if noted != real[: len(noted)]:
            found.untrue.append(f"the ledger has the movements {noted} of {id}, but the account has {real}")
    for id, moves in movements.items():
        last = sum(isinstance(event, page.Noted) for event in pages.get(id, []))
        if settled and last != len(moves):
            found.lost.append(f"the ledger has {last} of the {len(moves)} movements of {id}")


def _check_acknowledged(
    accounts: Sequence[Commit], movements: Mapping[str, list[account.Moved]], found: Verdict, settled: bool
) -> None:
    for id, commits in _by_stream(STORED_ACCOUNTS, accounts).items():
        seen = [
            (event.number, commit.stored_at)
            for commit in commits
            for event in _events(STORED_ACCOUNTS, [commit])
            if isinstance(event, account.Acknowledged)
        ]
        numbers = [number for number, _ in seen]
        found.duplicate_effects += [f"{id}: {n} acknowledged again" for n, k in Counter(numbers).items() if k > 1]
        found.order_violations += [
            f"{id} received the acknowledgement of movement {number} after that of {before}, at {at:%H:%M:%S}"
            for (before, _), (number, at) in pairwise(seen)
            if number < before
        ]
        if settled and len(set(numbers)) != len(movements[id]):
            found.lost.append(f"{id}: {len(set(numbers))} of {len(movements[id])} movements were acknowledged")


def _check_transfers(
    accounts: Sequence[Commit], movements: Mapping[str, list[account.Moved]], found: Verdict, settled: bool
) -> None:
    """Checks that each transfer took one branch.

    Money that was taken is given once, to one side. Money that was not taken is not given.
    """
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for moves in movements.values():
        for moved in moves:
            if moved.transfer:
                steps[moved.transfer][moved.step] += 1
    for id, commits in _by_stream(TRANSFERS, accounts).items():
        took, gave = steps[id]["take"], steps[id]["give"] + steps[id]["give back"]
        if took > 1 or gave > 1:
            found.duplicate_effects.append(f"transfer {id} took {took} times and gave {gave} times")
        if gave > took:
            found.untrue.append(f"transfer {id} gave money that it had not taken")
        state: Transfer = TRANSFERS.fold(id, (e for c in commits for e in c.events)).state
        if settled and (not state.ended or took != gave):
            found.lost.append(f"transfer {id} has not ended: {state}, took {took}, gave {gave}")


async def _check_states(stored: Stored[Any], commits: Sequence[Commit], stores: Stores, found: Verdict) -> None:
    """Checks that the snapshot of each aggregate is the fold of all its events."""
    for id, own in _by_stream(stored, commits).items():
        head = await stores.log.head(stored.stream_of(id), fresh=True)
        folded = stored.fold(id, (event for commit in own for event in commit.events))
        if head is None or stored.restore(head.state) != folded:
            found.untrue.append(f"the state of {stored.stream_of(id)} is not the fold of its events")


async def _check_rows(projection: Projection[Any], commits: Sequence[Commit], stores: Stores, found: Verdict) -> None:
    """Checks that the read model, which was updated event by event, equals one that is built from the log now."""
    rows = stores.rows(projection)
    everything = await rows.everything(await rows.generation())
    lived = {row.id: row.values for row in everything if row.values is not None}
    made: dict[str, Any] = {}
    for id, own in _by_stream(projection.source, commits).items():
        for event in _events(projection.source, own):
            if (row := projection.row_of(id, event)) is not None:
                made[row] = projection.project(row, made.get(row), event)
    built = {id: projection.codec.encode(row) for id, row in made.items() if row is not None}
    for id in sorted(lived.keys() | built.keys()):
        if lived.get(id) != built.get(id):
            found.untrue.append(f"the row of {id} in {projection.name} is {lived.get(id)}, not {built.get(id)}")


def _by_stream(stored: Stored[Any], commits: Iterable[Commit]) -> Mapping[str, list[Commit]]:
    """Returns the commits of each aggregate of one kind, by its id, in order."""
    streams: dict[str, list[Commit]] = defaultdict(list)
    for commit in commits:
        if stored.owns(commit.stream):
            streams[stored.id_of(commit.stream)].append(commit)
    return {id: sorted(own, key=lambda commit: commit.version) for id, own in streams.items()}


def _events(stored: Stored[Any], commits: Iterable[Commit]) -> Iterator[Any]:
    for commit in commits:
        yield from (stored.events.decode(event) for event in commit.events)
