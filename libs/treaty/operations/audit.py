"""The audit of messages: every subscriber has taken each integration event of a producer, and no other.

It reads commit logs only: the outboxes of the producers, and the causes of the consumers' commits, which are their
inboxes. A message that a translation skips leaves no commit. A message in quarantine is not taken yet.
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
    """The result of an audit. A message is named `<consumer>: <producer>/<event id>/<subscription>`.

    Attributes:
        announced: the number of integration events in all outboxes.
        taken: the number of messages that a consumer committed.
        missing: messages that a consumer should have taken, but did not.
        unheard_of: messages that a consumer took, but that are in no outbox.
    """

    announced: int = 0
    taken: int = 0
    missing: list[str] = field(default_factory=list)
    unheard_of: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.missing and not self.unheard_of


async def audit(contexts: Sequence[tuple[Service, CommitLog]], *, since: tuple[int, int] = (0, 0)) -> Audit:
    """Audits contexts once they are idle; messages in flight would count as missing.

    Args:
        since: the position (of servers that share a clock) from which on every message must have been taken. A consumer
            gets the events from before its subscription only by a replay.
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
    """Yields every commit that is in the log at about the time of the call, once each."""
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
"""{type of an event: (consumer, subscription) of every context that subscribes to it}."""


def _wanted(services: Iterable[Service]) -> Wanted:
    wanted: dict[str, list[tuple[str, Subscription]]] = {}
    for service in services:
        for subscription in service.subscriptions:
            wanted.setdefault(subscription.type, []).append((service.name, subscription))
    return wanted


def _messages(service: Service, commit: Commit, wanted: Wanted) -> set[str]:
    """Returns the messages that the consumers receive for the events of a commit."""
    return {
        f"{consumer}: {service.name}/{envelope.id}/{subscription.name}"
        for envelope in envelopes(commit, context=service.name)
        for consumer, subscription in wanted.get(envelope.type, ())
        if subscription.translate(subscription.parse(envelope.body)) is not None
    }


def _inbox(service: Service, commit: Commit) -> set[str]:
    """Returns the messages that a commit has as causes, without the names of the use case's steps."""
    causes = (cause.id.split("/") for cause in commit.causes)
    producers = {subscription.producer for subscription in service.subscriptions}
    return {"/".join(parts[: _length(parts)]) for parts in causes if parts[0] in producers}


def _length(parts: Sequence[str]) -> int:
    """Returns the number of parts before a step: an event's id may have a slash, and ends with `@<version>#<n>`."""
    for index, part in enumerate(parts):
        if "@" in part and "#" in part:
            return index + 2
    return len(parts)
