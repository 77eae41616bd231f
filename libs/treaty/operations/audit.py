"""The audit of messages: whatever one context announced, every context that wants it has taken, and nothing else.

It reads commit logs only: the outboxes of the producers, and the causes of the consumers' commits, which are their
inboxes. Messages that a translation passes over leave no commit; what is in quarantine has not been taken yet.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from treaty.commits.commit import Commit
from treaty.commits.log import CommitLog, Place
from treaty.messaging.envelope import envelopes
from treaty.messaging.subscriptions import Subscription
from treaty.service.service import Service


@dataclass(slots=True)
class Audit:
    """What was found. Messages are named `<consumer>: <producer>/<event id>/<subscription>`.

    Attributes:
        announced: integration events in all outboxes.
        taken: messages that a consumer committed.
        missing: messages that should have been taken and were not.
        unheard_of: messages that were taken and never announced.
    """

    announced: int = 0
    taken: int = 0
    missing: list[str] = field(default_factory=list)
    unheard_of: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.missing and not self.unheard_of


async def audit(contexts: Sequence[tuple[Service, CommitLog]], *, since: tuple[int, int] = (0, 0)) -> Audit:
    """Audits contexts once they are idle; what is under way would count as missing.

    Args:
        since: the position (of servers that share a clock) from which on every message must have been taken; what was
            announced before somebody subscribed is theirs only by a replay.
    """
    wanted = _wanted(service for service, _ in contexts)
    expected: set[str] = set()
    known: set[str] = set()
    taken: set[str] = set()
    found = Audit()
    for service, log in contexts:
        async for commit in history(log):
            found.announced += len(commit.outbox)
            messages = _messages(service, commit, wanted)
            known |= messages
            expected |= messages if commit.position >= since else set()
            taken |= {f"{service.name}: {message}" for message in _inbox(service, commit)}
    found.taken = len(taken)
    found.missing, found.unheard_of = sorted(expected - taken), sorted(taken - known)
    return found


async def history(log: CommitLog) -> AsyncIterator[Commit]:
    """Yields every commit that is in the log by about now, once each."""
    seen: set[str] = set()
    async with contextlib.aclosing(log.follow(Place())) as batches:
        async for batch in batches:
            for commit in batch.commits:
                if commit.id not in seen:
                    seen.add(commit.id)
                    yield commit
            if not batch.again:
                return


Wanted = Mapping[str, Sequence[tuple[str, Subscription]]]
"""By the type of an event: who wants it, and how they take it."""


def _wanted(services: Iterable[Service]) -> Wanted:
    wanted: dict[str, list[tuple[str, Subscription]]] = {}
    for service in services:
        for subscription in service.subscriptions:
            wanted.setdefault(subscription.type, []).append((service.name, subscription))
    return wanted


def _messages(service: Service, commit: Commit, wanted: Wanted) -> set[str]:
    """Returns the messages that the events of a commit become."""
    return {
        f"{consumer}: {service.name}/{envelope.id}/{subscription.name}"
        for envelope in envelopes(commit, context=service.name)
        for consumer, subscription in wanted.get(envelope.type, ())
        if subscription.translate(subscription.parse(envelope.body)) is not None
    }


def _inbox(service: Service, commit: Commit) -> set[str]:
    """Returns the messages that a commit records, without the steps that a use case takes under them."""
    causes = (cause.id.split("/") for cause in commit.causes)
    producers = {subscription.producer for subscription in service.subscriptions}
    return {"/".join(parts[: _length(parts)]) for parts in causes if parts[0] in producers}


def _length(parts: Sequence[str]) -> int:
    """The id of an event may hold a slash, as streams of stock items do; it ends with `@<version>#<n>`."""
    for index, part in enumerate(parts):
        if "@" in part and "#" in part:
            return index + 2
    return len(parts)
