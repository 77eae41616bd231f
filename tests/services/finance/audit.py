"""The audit of a bank: what must hold for the logs of Accounts and Transfers after all work is done."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import HoldCaptured, HoldExpired, HoldPlaced, HoldReleased, Posted
from services.finance.accounts.domain.kinds import Kind
from services.finance.accounts.domain.postings import Contra, Posting, Purpose
from services.finance.accounts.storage import ACCOUNTS
from services.finance.transfers.domain.statuses import ENDED, Refund, Status
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.storage import TRANSFERS

Commit = Mapping[str, Any]
"""A commit as it is stored: its stream, its version, its events and its state."""

_ENDS = (HoldCaptured, HoldReleased, HoldExpired)


def complaints(accounts: Sequence[Commit], transfers: Sequence[Commit]) -> list[str]:
    """Returns a sentence for each fault in the logs; both are in their order."""
    mine = [commit for commit in accounts if ACCOUNTS.owns(commit["stream"])]
    postings = [posting for commit in mine for posting in _postings(commit)]
    made = _latest(transfers)
    return [
        *_unbalanced(mine),
        *_beyond_the_limit(mine),
        *_holds(mine),
        *_in_transit(postings),
        *(text for transfer in made.values() for text in _of_transfer(transfer, postings)),
    ]


def _events(commit: Commit) -> list[Any]:
    return [ACCOUNTS.events.decode(event) for event in commit["events"]]


def _postings(commit: Commit) -> list[Posting]:
    return [event.posting for event in _events(commit) if isinstance(event, Posted)]


def _unbalanced(commits: Sequence[Commit]) -> Iterator[str]:
    """The books balance at every position of the log."""
    total = 0
    for commit in commits:
        total += sum(units for posting in _postings(commit) for _, units in posting.legs)
        if total:
            yield f"the books are off by {total} after {commit['stream']}@{commit['version']}"


def _beyond_the_limit(commits: Sequence[Commit]) -> Iterator[str]:
    """No available balance of a customer was ever negative."""
    states: dict[str, Account] = {}
    for commit in commits:
        id = ACCOUNTS.id_of(commit["stream"])
        state = states.setdefault(id, Account(id=id))
        for event in _events(commit):
            state.evolve(event)
        if state.kind is Kind.CUSTOMER and state.available < 0:
            yield f"{state.available} of account {id} was available in version {commit['version']}"


def _holds(commits: Sequence[Commit]) -> Iterator[str]:
    """Every hold has ended, and once."""
    events = [event for commit in commits for event in _events(commit)]
    ends = Counter(event.hold_id for event in events if isinstance(event, _ENDS))
    for event in events:
        if isinstance(event, HoldPlaced) and ends[event.hold.hold_id] != 1:
            yield f"hold {event.hold.hold_id} ended {ends[event.hold.hold_id]} times"


def _in_transit(postings: Sequence[Posting]) -> Iterator[str]:
    """No money is left between two accounts."""
    left = -sum(posting.amount.minor_units for posting in postings if posting.contra is Contra.TRANSFERS)
    if left:
        yield f"{left} is left in transit"


def _latest(commits: Sequence[Commit]) -> Mapping[str, Transfer]:
    found: dict[str, Transfer] = {}
    for commit in commits:
        if TRANSFERS.owns(commit["stream"]):
            id = TRANSFERS.id_of(commit["stream"])
            state = found.setdefault(id, Transfer(id=id))
            for event in commit["events"]:
                state.evolve(TRANSFERS.events.decode(event))
    return {id: state for id, state in found.items() if state.terms is not None}


def _of_transfer(transfer: Transfer, postings: Sequence[Posting]) -> Iterator[str]:
    """The transfer has ended, and the postings are those of its end."""
    assert transfer.terms is not None
    if transfer.status not in ENDED:
        yield f"transfer {transfer.id} is {transfer.status}"
    amount = transfer.terms.amount.minor_units
    made = Counter((one.purpose, one.amount.minor_units) for one in postings if one.reference == transfer.id)
    out, into = (Purpose.TRANSFER_OUT, -amount), (Purpose.TRANSFER_IN, amount)
    back, taken = (Purpose.RETURN, amount), (Purpose.RETURN_OUT, -amount)
    if transfer.status is Status.COMPLETED:
        expected = [{out: 1, into: 1, **({taken: 1, back: 1} if transfer.refund is Refund.PAID else {})}]
    else:
        expected = [{}, {out: 1, back: 1}]
    if dict(made) not in expected:
        yield f"transfer {transfer.id} is {transfer.status}, and has {sorted(made.items())}"
