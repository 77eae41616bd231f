"""Holes: documents among the commits that cannot be read. Each holds back its own stream in every follower.

The log keeps its holes itself. The holes of a stream `S` are commits of the stream `treaty.hole-S`, which open and
close them in turn. So they have a place in the order of the log, and stay as the audit. A document whose id is not that
of a commit is a stray: it has no stream to hold back, and is only listed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from treaty.commits.commit import CauseEntry, Commit, Document
from treaty.commits.log import CommitLog, Unreadable, VersionTaken
from treaty.domain import Conflict, Invalid

HOLES, STRAYS = "treaty.hole-", "treaty.stray-"

OPEN, MENDED, SKIPPED = "open", "mended", "skipped"

_OPENED, _CLOSED = "Opened", "Closed"
_SKIP = "skipped "
"""Begins the token of the empty commit that stands in the place of a skipped document."""

_AROUND = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A document that cannot be read, or could not be.

    Attributes:
        entries: the stream that keeps this hole.
        entry: the version of the latest commit of `entries` that is about this hole.
        stream: the stream that it holds; empty for a stray.
        version: the first version that is held.
        id: the id of the document.
        state: open, mended or skipped.
        closed: the position at which it was closed.
    """

    entries: str
    entry: int
    stream: str
    version: int
    id: str
    error: str
    since: datetime
    state: str = OPEN
    by: str = ""
    reason: str = ""
    closed: tuple[int, int] = (0, 0)

    @property
    def is_open(self) -> bool:
        return self.state == OPEN


def holes_of(commits: Iterable[Commit]) -> Sequence[Hole]:
    """Returns all holes, also closed ones, from the commits of their streams, each stream's in order."""
    found: dict[str, list[Hole]] = {}
    for commit in commits:
        holes = found.setdefault(commit.stream, [])
        before = holes[-1] if holes else None
        hole = noted(commit, before)
        if hole is None:
            continue
        if before is not None and before.is_open:
            holes[-1] = hole
        else:
            holes.append(hole)
    return [hole for holes in found.values() for hole in holes]


def noted(commit: Commit, before: Hole | None) -> Hole | None:
    """Returns the latest hole of its stream after a commit that opens or closes it; None if the commit does neither."""
    event: Document = commit.events[0] if len(commit.events) == 1 else {"type": "", "data": {}}
    data = event["data"]
    if event["type"] not in (_OPENED, _CLOSED) or not data.keys() >= {"stream", "version", "id", "error"}:
        return None
    closed = event["type"] == _CLOSED
    return Hole(
        entries=commit.stream,
        entry=commit.version,
        stream=data["stream"],
        version=data["version"],
        id=data["id"],
        error=data["error"],
        since=before.since if before is not None and closed else commit.stored_at,
        state=data["state"] if closed else OPEN,
        by=commit.causes[0].actor if closed else "",
        reason=data["reason"] if closed else "",
        closed=commit.position if closed else (0, 0),
    )


def opening(found: Unreadable, before: Hole | None) -> Commit:
    """Returns the commit that opens a hole, or that moves an open one to an earlier version."""
    entries = f"{HOLES}{found.stream}" if found.stream else f"{STRAYS}{found.id[:200]}"
    data = {"stream": found.stream, "version": found.version, "id": found.id, "error": found.why[:1000]}
    return _entry(entries, before.entry + 1 if before else 1, _OPENED, data, by="")


def _closing(hole: Hole, state: str, by: str, reason: str) -> Commit:
    about = {"stream": hole.stream, "version": hole.version, "id": hole.id, "error": hole.error}
    return _entry(hole.entries, hole.entry + 1, _CLOSED, {**about, "state": state, "reason": reason}, by=by)


def _entry(entries: str, version: int, type: str, data: Mapping[str, Any], *, by: str) -> Commit:
    token = f"{type} {entries} {by}"
    return _commit(entries, version, by, [{"type": type, "v": 1, "data": dict(data)}], token)


def _commit(stream: str, version: int, by: str, events: Sequence[Mapping[str, Any]], token: str) -> Commit:
    id = f"{token}@{version}"
    cause = CauseEntry(id=id, digest="", actor=by, tenant="", trace="", correlation="", events=len(events))
    return Commit(
        stream=stream,
        version=version,
        causes=[cause],
        events=events,
        state={},
        outbox=[],
        sequence=0,
        calls=[],
        token=token,
    )


async def holes(log: CommitLog) -> Sequence[Hole]:
    """Returns all holes and strays of a context, also closed ones."""
    return holes_of([*await log.under(HOLES), *await log.under(STRAYS)])


async def mend(log: CommitLog, stream: str, *, by: str, reason: str) -> Hole:
    """Closes the hole of a stream whose document was repaired by hand. Returns the closed hole.

    Raises:
        Invalid: if the stream has no open hole, or its document still cannot be read, or is not at its place.
    """
    hole = await _open(log, lambda hole: hole.stream == stream and bool(stream), f"the stream {stream}")
    try:
        around = await log.read(stream, first=max(hole.version - 1, 1), last=hole.version, states=False)
        after = await _after(log, hole)
        end = (await log.end()).position
    except Unreadable as still:
        raise Invalid(str(still)) from still
    if after and (not around or around[-1].version != hole.version):
        raise Invalid(f"{hole.id} is missing, and the stream has later commits: put it back, or skip it")
    positions = [commit.position for commit in [*around, *after]]
    if any(before >= after for before, after in pairwise(positions)) or max(positions, default=end) > end:
        raise Invalid(f"the position of {hole.id} must be between those of the commits before and after it")
    return await _close(log, hole, MENDED, by, reason)


async def skip(log: CommitLog, id: str, *, by: str, reason: str) -> Hole:
    """Puts an empty commit in the place of a document that cannot be read, and closes its hole. Returns the hole.

    The document is kept aside. Its events, integration events and calls have no effect.

    Raises:
        Invalid: if it has no open hole, or it can be read.
    """
    hole = await _open(log, lambda hole: hole.id == id, id)
    if hole.stream:
        await _empty(log, hole, by, reason)
    return await _close(log, hole, SKIPPED, by, reason)


async def _open(log: CommitLog, wanted: Callable[[Hole], bool], name: str) -> Hole:
    found = [hole for hole in await holes(log) if hole.is_open and wanted(hole)]
    if not found:
        raise Invalid(f"{name} has no open hole; `treaty holes` lists them")
    return found[0]


async def _close(log: CommitLog, hole: Hole, state: str, by: str, reason: str) -> Hole:
    closing = _closing(hole, state, by, reason)
    await log.forget(hole.stream, hole.version)
    try:
        await log.append(closing)
    except VersionTaken:
        raise Conflict(f"the hole {hole.id} was changed meanwhile: look at it again") from None
    return replace(hole, entry=closing.version, state=state, by=by, reason=reason)


async def _empty(log: CommitLog, hole: Hole, by: str, reason: str) -> None:
    """Replaces the document, unless an earlier try did and ended before it closed the hole."""
    try:
        found = await log.read(hole.stream, first=hole.version, last=hole.version)
    except Unreadable:
        found = ()
    if found and found[0].token.startswith(_SKIP):
        return
    if found:
        raise Invalid(f"{hole.id} can be read: use mend")
    before = await _before(log, hole)
    commit = _commit(hole.stream, hole.version, by, [], f"{_SKIP}{reason[:1000]}")
    seconds, increment = before.position if before else (1, 0)
    sequence = before.sequence if before else 0
    await log.replace(replace(commit, sequence=sequence, position=(seconds, increment + 1)))


async def _before(log: CommitLog, hole: Hole) -> Commit | None:
    if hole.version == 1:
        return None
    found = await log.read(hole.stream, first=hole.version - 1, last=hole.version - 1, states=False)
    if not found:
        raise Invalid(f"the commit before {hole.id} is missing too: put it back first")
    return found[0]


async def _after(log: CommitLog, hole: Hole) -> Sequence[Commit]:
    """Returns the next readable commits of the stream, at most a few; another hole behind this one ends them."""
    try:
        return await log.read(hole.stream, first=hole.version + 1, last=hole.version + _AROUND, states=False)
    except Unreadable as next:
        return await log.read(hole.stream, first=hole.version + 1, last=next.version - 1, states=False)
