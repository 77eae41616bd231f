"""Keeping a read model up to date: commits become rows, in few round trips to the store."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from treaty.commits.commit import Commit
from treaty.probes import Probe
from treaty.projections.projection import Projection
from treaty.projections.rows import Outdated, Row, Rows, Superseded

logger = structlog.get_logger()

_TOGETHER = 500
"""The number of commits that are shown together, if so many wait."""

_REMEMBERED = 5000
"""Rows that a projector remembers, so that it need not read them again for the next commits of their streams."""

_PACE_SECONDS = 0.02
"""Between two writes of a projector, at least. A commit that comes alone is shown at once; others share a write."""

_CHECK_SECONDS = 1.0
"""While a projector writes, the longest time until it notices that another generation is served."""


class RowsMissing(Exception):
    """A read model does not show the commit before one that it is to show: a person has removed rows, for example.

    A commit behind a hole is held back by the log, so a gap is never the usual way of a stream.
    """

    def __init__(self, projection: Projection[Any], stream: str, shown: int, version: int) -> None:
        super().__init__(
            f"{projection.name} shows {stream} up to version {shown}, so version {version} cannot be shown: rows were "
            f"removed, or a commit is missing; run `treaty projections rebuild <context>/{projection.name}`"
        )


@dataclass(eq=False, slots=True)
class _Batch:
    """Commits that arrived together. `alone`: they must not be shown with others, because one of those may fail."""

    commits: Sequence[Commit]
    epoch: int
    alone: bool = False
    shown: bool = False


class Projector:
    """A follower that keeps one projection up to date.

    Batches are shown one after another. Those that arrived while one was being shown, or soon after, go together.
    """

    def __init__(self, projection: Projection[Any], rows: Rows, generation: int, probe: Probe) -> None:
        self._projection, self._rows, self._generation, self._probe = projection, rows, generation, probe
        self._remembered = _Remembered()
        self._checked = self._written = float("-inf")
        self.begin()

    @property
    def name(self) -> str:
        return follower_of(self._projection, self._generation)

    async def check(self) -> None:
        """Raises Superseded if another generation is served: without new commits no write would show it."""
        if await self._rows.generation() != self._generation:
            raise Superseded(self._projection.name)
        self._checked = asyncio.get_running_loop().time()

    def begin(self) -> None:
        self._waiting: list[_Batch] = []
        self._turn = asyncio.Lock()
        self._failure: Exception | None = None
        self._remembered.clear()

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        mine = [c for c in commits if self._projection.source.owns(c.stream)]
        if not mine:
            return None
        batch = _Batch(mine, epoch)
        self._waiting.append(batch)
        return asyncio.ensure_future(self._until_shown(batch))

    async def _until_shown(self, batch: _Batch) -> None:
        async with self._turn:
            while not batch.shown:
                if self._failure is not None:
                    raise self._failure
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._written + _PACE_SECONDS - loop.time())
                self._written = loop.time()
                await self._show(self._next())

    def _next(self) -> Sequence[_Batch]:
        """Returns the batches to show now: the first that waits, and those behind it that may be shown with it."""
        chosen, commits = [self._waiting[0]], len(self._waiting[0].commits)
        for batch in self._waiting[1:]:
            commits += len(batch.commits)
            if chosen[0].alone or batch.alone or commits > _TOGETHER:
                break
            chosen.append(batch)
        return chosen

    async def _show(self, batches: Sequence[_Batch]) -> None:
        """Shows batches, which leave the line then. If they fail together, each is tried alone."""
        try:
            await self._apply([commit for batch in batches for commit in batch.commits], batches[-1].epoch)
        except Exception as error:
            self._remembered.clear()
            for batch in batches:
                batch.alone = True
            if len(batches) == 1:
                self._failure = error
            return
        except BaseException:
            self._remembered.clear()
            raise
        for batch in batches:
            batch.shown = True
        del self._waiting[: len(batches)]

    async def _apply(self, commits: Sequence[Commit], epoch: int) -> None:
        self._probe.reach("projection.storing")
        if self._projection.key is None:
            await show(self._projection, self._rows, commits, self._generation, self._remembered.rows)
            self._remembered.forget_oldest()
            if asyncio.get_running_loop().time() > self._checked + _CHECK_SECONDS:
                await self.check()
        else:
            await meet(self._projection, self._rows, commits, epoch, self._generation)
        self._probe.reach("projection.stored")
        self._probe.count("treaty.projection.commits", len(commits), projection=self._projection.name)


@dataclass(slots=True)
class _Remembered:
    """The rows that were written last, as they are stored."""

    rows: "OrderedDict[str, Row]" = field(default_factory=OrderedDict)

    def clear(self) -> None:
        self.rows.clear()

    def forget_oldest(self) -> None:
        while len(self.rows) > _REMEMBERED:
            self.rows.popitem(last=False)


def follower_of(projection: Projection[Any], generation: int) -> str:
    """Returns the name under which the checkpoint of a projection's generation is kept."""
    return f"projection {projection.name}" + (f"~{generation}" if generation else "")


async def apply(
    projection: Projection[Any], rows: Rows, commits: Sequence[Commit], epoch: int, generation: int
) -> None:
    """Shows commits of the projection's source, in their order. Commits that are shown already change nothing."""
    if projection.key is None:
        await show(projection, rows, commits, generation, {})
    else:
        await meet(projection, rows, commits, epoch, generation)


async def show(
    projection: Projection[Any],
    rows: Rows,
    commits: Sequence[Commit],
    generation: int,
    remembered: MutableMapping[str, Row],
) -> None:
    """Shows commits in rows that are functions of one stream each, without a transaction.

    A row has the version of its stream, so a write that is late, repeated, or of an earlier epoch changes nothing. A
    stream from its first commit on needs no row from before, and a remembered row is not read from the store again.

    Commits that are repeated may have a gap, where one could not be read in the meantime. So nothing is shown on a row
    that does not have all before it.

    Raises:
        RowsMissing: if neither the commits nor the stored row have all before a commit.
    """
    versions: dict[str, list[int]] = {}
    for commit in commits:
        versions.setdefault(projection.mark_of(commit.stream), []).append(commit.version)
    known = {
        id: row for id in versions if (row := remembered.get(id)) is not None and row.version >= versions[id][0] - 1
    }
    unknown = [id for id, shown in versions.items() if id not in known and shown != list(range(1, len(shown) + 1))]
    if unknown:
        known.update(await rows.load(unknown, generation))
    changed: dict[str, Row] = {}
    for id, version, events in (_step(projection, commit) for commit in commits):
        row = known.get(id, Row(id, 0, None))
        if version <= row.version:
            continue
        if version > row.version + 1:
            raise RowsMissing(projection, id, row.version, version)
        for _, event in events:
            row = _projected(projection, row, event)
        known[id] = changed[id] = replace(row, version=version)
    if changed:
        await rows.store_newer(list(changed.values()), generation)
        remembered.update(changed)


async def meet(projection: Projection[Any], rows: Rows, commits: Sequence[Commit], epoch: int, generation: int) -> None:
    """Shows commits in rows that several streams meet in, with marks of the streams, in one transaction.

    Raises:
        RowsMissing: if the mark of a stream does not have all before a commit.
    """
    steps = [_step(projection, commit) for commit in commits]
    while True:
        try:
            await _meet(projection, rows, steps, epoch, generation)
            return
        except Outdated:
            logger.info("a write of before came late; showing the commits again", projection=projection.name)


_Step = tuple[str, int, Sequence[tuple[str, Any]]]
"""The mark of a commit's stream, the commit's version, and its events with the rows that they are for."""


async def _meet(projection: Projection[Any], rows: Rows, steps: Sequence[_Step], epoch: int, generation: int) -> None:
    wanted = {id for mark, _, events in steps for id in (mark, *(row for row, _ in events))}
    known = dict(await rows.load(sorted(wanted), generation))
    loaded = {id: row.version for id, row in known.items()}
    changed: dict[str, Row] = {}
    for mark, version, events in steps:
        if version <= known.get(mark, Row(mark, 0, None)).version:
            continue
        shown = known.get(mark, Row(mark, 0, None)).version
        if version > shown + 1:
            raise RowsMissing(projection, mark.removeprefix("@"), shown, version)
        for id, event in events:
            known[id] = changed[id] = _projected(projection, known.get(id, Row(id, 0, None)), event)
        marked = replace(known.get(mark, Row(mark, 0, None)), version=version)
        known[mark] = changed[mark] = marked
    if changed:
        before = {mark: loaded.get(mark, 0) for mark, _, _ in steps if mark in changed}
        await rows.store(list(changed.values()), epoch, generation, before=before)


def _step(projection: Projection[Any], commit: Commit) -> _Step:
    """Returns the mark of a commit's stream, its version, and its events with the rows they are for."""
    id = projection.source.id_of(commit.stream)
    events = [projection.source.events.decode(event) for event in commit.events]
    aimed = [(row, event) for event in events if (row := projection.row_of(id, event)) is not None]
    return projection.mark_of(commit.stream), commit.version, aimed


def _projected(projection: Projection[Any], row: Row, event: Any) -> Row:
    codec = projection.codec
    before = None if row.values is None else codec.decode(row.values)
    after = projection.project(row.id, before, event)
    return replace(row, values=None if after is None else codec.encode(after))
