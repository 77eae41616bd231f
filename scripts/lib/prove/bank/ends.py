"""The ends of transfers, read from the log of Transfers: each one has one end, and the postings of that end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from treaty.commits.commit import Commit

from scripts.lib.prove.bank.books import SUSPENSE, Books, Movement
from scripts.lib.prove.checker import Verdict
from services.finance.accounts.domain.postings import Purpose
from services.finance.transfers.domain.allowance import Allowance, allowance_id
from services.finance.transfers.domain.events import MoneyCaptured, TransferCompleted, TransferFailed
from services.finance.transfers.domain.statuses import ENDED, Refund, Status
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.storage import ALLOWANCES, TRANSFERS

_OPEN = frozenset(Refund) - {Refund.NONE, Refund.PAID, Refund.REFUSED}


@dataclass(slots=True)
class Ends:
    """Follows each transfer to its end, and records what is wrong with it.

    Attributes:
        transfers: the state of each transfer, folded from its events.
        captured: the transfers whose money was captured.
        allowances: the state of each allowance.
    """

    found: Verdict
    transfers: dict[str, Transfer] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)
    allowances: dict[str, Allowance] = field(default_factory=dict)
    _ends: Counter[str] = field(default_factory=Counter)

    def read(self, commit: Commit) -> None:
        """Takes the next commit of the log."""
        if TRANSFERS.owns(commit.stream):
            self._follow(TRANSFERS.id_of(commit.stream), commit)
        elif ALLOWANCES.owns(commit.stream):
            id = ALLOWANCES.id_of(commit.stream)
            self.allowances[id] = ALLOWANCES.fold(id, commit.events, self.allowances.get(id))

    def _follow(self, id: str, commit: Commit) -> None:
        transfer = self.transfers.setdefault(id, Transfer(id=id))
        for document in commit.events:
            event = TRANSFERS.events.decode(document)
            transfer.evolve(event)
            if isinstance(event, MoneyCaptured):
                self.captured.add(id)
            if isinstance(event, TransferCompleted | TransferFailed):
                self._ends[id] += 1
                if self._ends[id] > 1:
                    self.found.duplicate_effects.append(f"transfer {id} ended {self._ends[id]} times")

    def close(self, books: Books) -> None:
        """Records what is wrong at the end, when all work is done: each transfer has ended, with the right postings."""
        used: Counter[str] = Counter()
        for id, transfer in self.transfers.items():
            if transfer.terms is None:
                continue
            if transfer.status not in ENDED or transfer.refund in _OPEN:
                refund = f", its refund {transfer.refund}" if transfer.refund in _OPEN else ""
                self.found.lost.append(f"transfer {id} is {transfer.status}{refund}")
            expected, made = _postings(transfer, captured=id in self.captured), books.made(id)
            if made != expected:
                self.found.untrue.append(
                    f"transfer {id} is {transfer.status}, and has the postings {_shown(made)}, not {_shown(expected)}"
                )
            if transfer.took_allowance and transfer.status not in (Status.FAILED, Status.CANCELLED):
                name = allowance_id(transfer.terms.customer_id, transfer.terms.amount.currency, transfer.day)
                used[name] += transfer.terms.amount.minor_units
        self._close_allowances(used)
        for id in books.movements.keys() - self.transfers.keys():
            self.found.untrue.append(f"money moved for {id}, which is no transfer")

    def _close_allowances(self, used: Mapping[str, int]) -> None:
        for id, allowance in self.allowances.items():
            if allowance.used != used.get(id, 0):
                self.found.untrue.append(
                    f"{allowance.used} of the allowance {id} is used, but that of its transfers is {used.get(id, 0)}"
                )

    @property
    def by_end(self) -> Counter[str]:
        """How many transfers have each end: completed, or the code of the failure."""
        return Counter(
            transfer.code.lower() or transfer.status.value
            for transfer in self.transfers.values()
            if transfer.status in ENDED
        )


def _postings(transfer: Transfer, *, captured: bool) -> Mapping[Movement, int]:
    """Returns the postings that a transfer in this state must have."""
    if not captured or transfer.terms is None:
        return {}
    payer, payee, units = transfer.terms.payer, transfer.terms.payee, transfer.terms.amount.minor_units
    found: dict[Movement, int] = {(payer, Purpose.TRANSFER_OUT, -units): 1}
    if transfer.status is Status.COMPLETED:
        found[payee, Purpose.TRANSFER_IN, units] = 1
    if transfer.status in (Status.FAILED, Status.CANCELLED):
        found[SUSPENSE if transfer.parked else payer, Purpose.RETURN, units] = 1
    if transfer.refund is Refund.PAID:
        found[payee, Purpose.RETURN_OUT, -units] = 1
        found[SUSPENSE if transfer.refund_parked else payer, Purpose.RETURN, units] = 1
    return found


def _shown(made: Mapping[Movement, int]) -> str:
    return str(sorted((account, purpose.value, units, times) for (account, purpose, units), times in made.items()))
