"""Keeping a read model up to date: commits become rows, batch after batch, each in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from treaty.commits.commit import Commit
from treaty.probes import Probe
from treaty.projections.projection import Projection
from treaty.projections.rows import Outdated, Row, Rows, Superseded

logger = structlog.get_logger()


class Projector:
    """A follower that keeps one projection up to date. Batches are applied one after another, each in a transaction."""

    def __init__(self, projection: Projection[Any], rows: Rows, generation: int, probe: Probe) -> None:
        self._projection, self._rows, self._generation, self._probe = projection, rows, generation, probe
        self._last: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        return follower_of(self._projection, self._generation)

    async def check(self) -> None:
        """Raises Superseded if another generation is served: without new commits no write would show it."""
        if await self._rows.generation() != self._generation:
            raise Superseded(self._projection.name)

    def begin(self) -> None:
        self._last = None

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        mine = [c for c in commits if self._projection.source.owns(c.stream)]
        if not mine:
            return None
        self._last = _after(self._last, partial(self._apply, mine, epoch))
        return self._last

    async def _apply(self, commits: Sequence[Commit], epoch: int) -> None:
        self._probe.reach("projection.storing")
        await apply(self._projection, self._rows, commits, epoch, self._generation)
        self._probe.reach("projection.stored")
        self._probe.count("treaty.projection.commits", len(commits), projection=self._projection.name)


def follower_of(projection: Projection[Any], generation: int) -> str:
    """Returns the name under which the checkpoint of a projection's generation is kept."""
    return f"projection {projection.name}" + (f"~{generation}" if generation else "")


async def apply(
    projection: Projection[Any], rows: Rows, commits: Sequence[Commit], epoch: int, generation: int
) -> None:
    """Shows commits of the projection's source, in their order. Commits that are shown already change nothing."""
    steps = [_step(projection, commit) for commit in commits]
    while True:
        try:
            await _apply(projection, rows, steps, epoch, generation)
            return
        except Outdated:
            logger.info("a write of before came late; showing the commits again", projection=projection.name)


_Step = tuple[str, int, Sequence[tuple[str, Any]]]
"""The mark of a commit's stream, the commit's version, and its events with the rows that they are for."""


async def _apply(projection: Projection[Any], rows: Rows, steps: Sequence[_Step], epoch: int, generation: int) -> None:
    wanted = {id for mark, _, events in steps for id in (mark, *(row for row, _ in events))}
    known = dict(await rows.load(sorted(wanted), generation))
    loaded = {id: row.version for id, row in known.items()}
    changed: dict[str, Row] = {}
    for mark, version, events in steps:
        if version <= known.get(mark, Row(mark, 0, None)).version:
            continue
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


def _after(last: Awaitable[None] | None, work: Callable[[], Awaitable[None]]) -> "asyncio.Future[None]":
    """Returns the work as a task that starts when the last one has succeeded."""

    async def run() -> None:
        if last is not None:
            await last
        await work()

    return asyncio.ensure_future(run())
