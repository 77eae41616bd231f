"""The audit of a bank: reads the logs of Accounts and Transfers to their ends, and compares them with the answers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from treaty.commits.commit import Commit
from treaty.operations.audit import history
from treaty.service.stores import Stores

from scripts.lib.prove.bank import ACCOUNTS, BANK, TRANSFERS
from scripts.lib.prove.bank.books import Books
from scripts.lib.prove.bank.ends import Ends
from scripts.lib.prove.checker import Verdict
from services.finance.accounts.projections import TrialBalance, trial_balance, trial_balance_id
from services.finance.accounts.storage import ACCOUNTS as STORED_ACCOUNTS
from services.finance.accounts.storage import TRIAL_BALANCES
from services.finance.transfers.domain.statuses import Refund, Status

Outcome = Literal["not asked", "unknown", "ok", "refused"]


@dataclass(slots=True)
class Told:
    """The answers that a client got for a transfer.

    Attributes:
        initiated, cancelled, refunded: the outcomes of its commands.
        tries: how often each command was sent, by its name. The refusal of one that was sent more than once decides
            nothing: an earlier try may still be on its way.
        end: the status and the code with which the client saw it end, or None.
    """

    transfer_id: str
    initiated: Outcome = "unknown"
    cancelled: Outcome = "not asked"
    refunded: Outcome = "not asked"
    tries: Counter[str] = field(default_factory=Counter)
    end: tuple[Status, str] | None = None


@dataclass(slots=True)
class Audited:
    """The result of an audit: the ends of the transfers, and how many there are of each."""

    transfers: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)


async def audit(stores: Mapping[str, Stores], told: Sequence[Told], paid_in: int, *, settled: bool) -> Audited:
    """Audits a bank.

    Args:
        told: what the clients were told.
        paid_in: the units that the clients have paid in.
        settled: whether all work is done, so that nothing may be left.
    """
    verdict = Verdict(commands=sum(one.tries.total() > 0 for one in told))
    books, ends, logs = Books(verdict), Ends(verdict), {name: Log(name, verdict) for name in BANK}
    shown: dict[str, TrialBalance | None] = {}
    postings = []
    for name in BANK:
        async for commit in history(stores[name].log):
            logs[name].read(commit)
            if name == ACCOUNTS:
                postings.append(commit)
            if name == TRANSFERS:
                ends.read(commit)
    # Where a commit could not be read for a while, its stream comes out late; the books are of the order of the log.
    for commit in sorted(postings, key=lambda commit: commit.position):
        books.read(commit)
        _add_up(commit, shown)
    compare(told, ends, settled=settled)
    if settled:
        books.close()
        ends.close(books)
        if books.paid_in != paid_in:
            verdict.untrue.append(f"{paid_in} were paid in, but the log has {books.paid_in}")
        await _check_balances(stores[ACCOUNTS], books, shown)
        await _check_quarantine(stores, verdict)
    return Audited(len(ends.transfers), ends.by_end, verdict)


def complaints(accounts: Iterable[Commit], transfers: Iterable[Commit]) -> list[str]:
    """Returns a sentence for each fault in two logs, in their order, after all work is done."""
    verdict = Verdict()
    books, ends = Books(verdict), Ends(verdict)
    for commit in accounts:
        books.read(commit)
    for commit in transfers:
        ends.read(commit)
    books.close()
    ends.close(books)
    return verdict.faults


@dataclass(slots=True)
class Log:
    """Checks that the versions of each stream have no gap, and that each cause took effect once."""

    name: str
    found: Verdict
    _versions: Counter[str] = field(default_factory=Counter)
    _causes: set[int] = field(default_factory=set)

    def read(self, commit: Commit) -> None:
        self.found.events += len(commit.outbox)
        self._versions[commit.stream] += 1
        if commit.version != self._versions[commit.stream]:
            self.found.lost.append(
                f"{self.name}: {commit.id} comes where version {self._versions[commit.stream]} should be"
            )
        for cause in commit.causes:
            key = hash((commit.stream, cause.id))
            if key in self._causes:
                self.found.duplicate_effects.append(f"{self.name}: {cause.id} took effect again in {commit.id}")
            self._causes.add(key)


def compare(told: Sequence[Told], ends: Ends, *, settled: bool) -> None:
    """Compares what the clients were told with the log."""
    found = ends.found
    for one in told:
        for text in _untrue(one, ends):
            found.untrue.append(f"transfer {one.transfer_id}: {text}")
        known = one.transfer_id in ends.transfers
        if one.initiated == "ok" and not known:
            found.lost.append(f"transfer {one.transfer_id} was initiated, but is not in the log")
        if settled and "unknown" in (one.initiated, one.cancelled, one.refunded):
            found.unknown_unresolved.append(f"a command for transfer {one.transfer_id} has no answer")
    for id in ends.transfers.keys() - {one.transfer_id for one in told}:
        found.untrue.append(f"transfer {id} is in the log, but no client has asked for it")


def _untrue(one: Told, ends: Ends) -> Iterator[str]:
    transfer = ends.transfers.get(one.transfer_id)
    if transfer is None:
        return
    if one.initiated == "refused" and one.tries["InitiateTransfer"] == 1:
        yield "it was refused, but is in the log"
    if one.end is not None and one.end != (transfer.status, transfer.code):
        yield f"a client saw it end as {_text(one.end)}, but it is {_text((transfer.status, transfer.code))}"
    if one.cancelled == "ok" and (not transfer.cancelling or transfer.status is Status.COMPLETED):
        yield f"its cancellation was answered with OK, but it is {transfer.status}"
    if one.cancelled == "refused" and one.tries["CancelTransfer"] == 1 and transfer.cancelling:
        yield "its cancellation was refused, but took effect"
    if one.refunded == "ok" and transfer.refund is Refund.NONE:
        yield "its refund was answered with OK, but is not in the log"
    if one.refunded == "refused" and one.tries["RefundTransfer"] == 1 and transfer.refund is not Refund.NONE:
        yield "its refund was refused, but took effect"


def _text(end: tuple[Status, str]) -> str:
    return " ".join(part for part in end if part)


def _add_up(commit: Commit, shown: dict[str, TrialBalance | None]) -> None:
    """Adds the postings of a commit to the trial balance, as its read model does."""
    if not STORED_ACCOUNTS.owns(commit.stream):
        return
    id = STORED_ACCOUNTS.id_of(commit.stream)
    for document in commit.events:
        event = STORED_ACCOUNTS.events.decode(document)
        if currency := trial_balance_id(id, event):
            shown[currency] = trial_balance(currency, shown.get(currency), event)


async def _check_balances(stores: Stores, books: Books, shown: Mapping[str, TrialBalance | None]) -> None:
    """Checks the stored state of each account, and that the read model's trial balance is that of the log, and zero."""
    for id, account in books.accounts.items():
        head = await stores.log.head(STORED_ACCOUNTS.stream_of(id), fresh=True)
        if head is None or STORED_ACCOUNTS.restore(head.state) != account:
            books.found.untrue.append(f"the state of account {id} is not the fold of its events")
    rows = stores.rows(TRIAL_BALANCES)
    lived = {row.id: row.values for row in await rows.everything(await rows.generation()) if row.values is not None}
    made = {id: TRIAL_BALANCES.codec.encode(row) for id, row in shown.items() if row is not None}
    if lived != made:
        books.found.untrue.append(f"the trial balance is {lived}, not {made}")
    for currency, row in shown.items():
        if row is not None and row.difference:
            books.found.untrue.append(f"the trial balance of {currency} is off by {row.difference}")


async def _check_quarantine(stores: Mapping[str, Stores], found: Verdict) -> None:
    for name, own in stores.items():
        for item in await own.quarantine.find():
            found.lost.append(f"{name}: {item.id} is still in quarantine: {item.error or 'waits behind another'}")
