"""Duplicates: causes that took effect more than once on a stream, while the index that prevents it was missing.

The log keeps them itself: in the stream `treaty.duplicates-S` one commit lists the causes, and the next one has the
person who accepted them. Until then no command is taken on the stream `S`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.commits.commit import CauseEntry, Commit
from treaty.commits.log import CommitLog, VersionTaken
from treaty.domain import Conflict, Invalid

DUPLICATES = "treaty.duplicates-"

_FOUND, _ACCEPTED = "Found", "Accepted"


class StreamDuplicated(Exception):
    """A stream takes no commands, because causes took effect on it twice and no person has accepted that yet."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"causes took effect twice on {stream}; `treaty duplicates` shows what a person can do")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """The causes that took effect more than once on a stream.

    Attributes:
        entry: the version of the latest commit about them.
        causes: one text for each, with the commits in which it took effect.
        accepted: whether a person has accepted them: `by`, for a `reason`.
    """

    stream: str
    entry: int
    causes: Sequence[str]
    since: datetime
    accepted: bool = False
    by: str = ""
    reason: str = ""


def extra_id(cause: str, commit: str) -> str:
    """Returns the id for another effect of a cause than its first, in this commit. It begins with that of the cause."""
    return f"{cause}/duplicate-in-{commit.rpartition('@')[2]}"


def found(stream: str, causes: Sequence[str], entry: int) -> Commit:
    """Returns the commit that lists the duplicates of a stream, as that version of their own stream."""
    data = {"stream": stream, "causes": list(causes)}
    return _entry(stream, entry, _FOUND, data, by="")


def duplicates_of(commits: Iterable[Commit]) -> Sequence[Duplicates]:
    """Returns the latest duplicates of each stream, from all commits about them, each stream's in order."""
    latest: dict[str, Duplicates] = {}
    for commit in commits:
        [event] = commit.events
        data, before = event["data"], latest.get(commit.stream)
        accepted = event["type"] == _ACCEPTED and before is not None
        latest[commit.stream] = Duplicates(
            stream=data["stream"],
            entry=commit.version,
            causes=before.causes if accepted and before else data["causes"],
            since=before.since if accepted and before else commit.stored_at,
            accepted=accepted,
            by=commit.causes[0].actor,
            reason=data.get("reason", ""),
        )
    return list(latest.values())


async def duplicates(log: CommitLog) -> Sequence[Duplicates]:
    """Returns the duplicates of a context, also the accepted ones."""
    return duplicates_of(await log.under(DUPLICATES))


async def accept(log: CommitLog, stream: str, *, by: str, reason: str) -> None:
    """Accepts the duplicates of a stream as they are. It takes commands again within seconds.

    Raises:
        Invalid: if it has no duplicates to accept.
    """
    open_ones = [one for one in await duplicates(log) if one.stream == stream and not one.accepted]
    if not open_ones:
        raise Invalid(f"the stream {stream} has no duplicates to accept; `treaty duplicates` lists them")
    data = {"stream": stream, "reason": reason}
    try:
        await log.append(_entry(stream, open_ones[0].entry + 1, _ACCEPTED, data, by=by))
    except VersionTaken:
        raise Conflict(f"the duplicates of {stream} have changed meanwhile: look at them again") from None


def _entry(stream: str, entry: int, type: str, data: Mapping[str, object], *, by: str) -> Commit:
    token = f"{type} {by}@{entry}"
    cause = CauseEntry(id=token, digest="", actor=by, tenant="", trace="", correlation="", events=1)
    return Commit(
        stream=f"{DUPLICATES}{stream}",
        version=entry,
        causes=[cause],
        events=[{"type": type, "v": 1, "data": dict(data)}],
        state={},
        outbox=[],
        sequence=0,
        calls=[],
        token=token,
    )
