"""Rebuilds a read model from the log beside the served one, and then serves the new one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.commits.commit import Commit
from treaty.commits.log import Batch, CommitLog, Place
from treaty.followers.leases import Lease, LeaseKeeper, LeaseLost, LeaseTaken
from treaty.projections.projection import Projection
from treaty.projections.projector import apply, follower_of
from treaty.projections.rows import Rows, Superseded
from treaty.service.stores import Stores

_BUILDING = -1
"""The epoch for writes to a generation that is not served; they need no fencing, because only the rebuild writes it."""

_AT_ONCE = 1000


class AlreadyRebuilding(Exception):
    """Another process is rebuilding this read model."""


class RebuildLost(Exception):
    """Another process may have begun a rebuild of this read model, so this one stopped and is not served."""


class NotCaughtUp(Exception):
    """The served read model did not reach the end of the log in time, so a comparison is not possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The result of a rebuild.

    Attributes:
        rows: the number of rows in the new generation.
        equal: whether the old generation equals the new one; None without `verify`.
        different: ids of rows that differ, at most ten.
    """

    rows: int
    equal: bool | None
    different: Sequence[str] = ()


async def rebuild(
    projection: Projection[Any],
    stores: Stores,
    *,
    owner: str,
    verify: bool = False,
    patience: float = 60.0,
    lease_seconds: float = 60.0,
) -> Rebuilt:
    """Builds the next generation of a read model and serves it; commands continue, and queries read the old one.

    With `verify`, the old generation is read at one moment. The new one is first built from exactly the commits that
    the old one had applied then. The two must be equal.

    Args:
        owner: a new id for each rebuild; a lease allows one rebuild of a read model at a time.
        patience: seconds that the old generation may take to reach the end of the log.
        lease_seconds: seconds that another rebuild waits after the process of a rebuild ended or froze.

    Raises:
        AlreadyRebuilding: another process is rebuilding this read model.
        NotCaughtUp: with `verify`, the old generation did not reach the end of the log in time.
        RebuildLost: the lease was lost; this rebuild stopped writing, and its generation is never served.
    """

    async def work(_: Lease) -> Rebuilt:
        return await _rebuild(projection, stores, verify, patience)

    try:
        keeper = LeaseKeeper(stores.leases, lease_seconds)
        return await keeper.hold(f"rebuild {projection.name}", owner, work)
    except LeaseTaken:
        raise AlreadyRebuilding(f"{projection.name} is being rebuilt by another process") from None
    except (LeaseLost, Superseded) as lost:
        raise RebuildLost(
            f"the rebuild of {projection.name} stopped, because another process may have begun one: {lost}; "
            "queries read a complete read model, as before; run the rebuild again"
        ) from lost


async def _rebuild(projection: Projection[Any], stores: Stores, verify: bool, patience: float) -> Rebuilt:
    rows = stores.rows(projection)
    building = _Building(projection, rows, await rows.begin())
    served = await rows.generation()  # from here on, no earlier rebuild can be served
    here = await stores.log.end()
    different = await _compare(building, stores.log, served, patience) if verify else None
    if not verify:
        await building.take_history(stores.log, Place())
    place = await building.take_history(stores.log, Place("", here.position))
    await stores.checkpoints.save({follower_of(projection, building.generation): place}, 0)
    await rows.serve(building.generation)
    count = await rows.count({})
    await _drop_others(projection, stores, rows, served, building.generation)
    return Rebuilt(rows=count, equal=None if different is None else not different, different=(different or ())[:10])


async def _compare(building: "_Building", log: CommitLog, served: int, patience: float) -> Sequence[str]:
    """Returns the ids of the rows in which the old generation and the new one differ."""
    missing, loop = await building.heads(log), asyncio.get_running_loop()
    until = loop.time() + patience
    while missing := await building.not_shown(served, missing):
        if loop.time() >= until:
            raise NotCaughtUp(f"{building.projection.name} is behind the log after {patience:.0f} s")
        await asyncio.sleep(0.05)
    lived = {row.id: row for row in await building.rows.everything(served)}
    marks = {id: row.version for id, row in lived.items()}
    await building.take_history(log, Place(), lambda mark, version: version <= marks.get(mark, 0))
    rebuilt = {row.id: row for row in await building.rows.everything(building.generation)}
    return sorted(id for id in lived.keys() | rebuilt.keys() if lived.get(id) != rebuilt.get(id))


async def _drop_others(projection: Projection[Any], stores: Stores, rows: Rows, *kept: int) -> None:
    """Drops all generations but two: the new one, and the one before it, whose writer may still be at work."""
    dropped = await rows.retain(*kept)
    await stores.checkpoints.forget([follower_of(projection, generation) for generation in dropped])


def _all(mark: str, version: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Building:
    projection: Projection[Any]
    rows: Rows
    generation: int

    async def take_history(self, log: CommitLog, since: Place, wanted: Callable[[str, int], bool] = _all) -> Place:
        """Applies the commits that the log has behind a place at about the time of the call; returns the new place."""
        place = since
        async for batch in self._history(log, since):
            commits = [c for c in batch.commits if wanted(self.projection.mark_of(c.stream), c.version)]
            if commits:
                await apply(self.projection, self.rows, commits, _BUILDING, self.generation)
            place = batch.place
        return place

    async def heads(self, log: CommitLog) -> Mapping[str, int]:
        """Returns {mark: the latest version} of all streams of the source."""
        found: dict[str, int] = {}
        async for batch in self._history(log, Place()):
            for commit in batch.commits:
                mark = self.projection.mark_of(commit.stream)
                found[mark] = max(found.get(mark, 0), commit.version)
        return found

    async def not_shown(self, generation: int, heads: Mapping[str, int]) -> Mapping[str, int]:
        """Returns the versions that a generation has not applied yet.

        It loads a limited number of rows with each query, because the size of a query is limited.
        """
        marks, missing = list(heads), dict(heads)
        for first in range(0, len(marks), _AT_ONCE):
            shown = await self.rows.load(marks[first : first + _AT_ONCE], generation)
            for mark, row in shown.items():
                if row.version >= heads[mark]:
                    del missing[mark]
        return missing

    async def _history(self, log: CommitLog, since: Place) -> AsyncIterator[Batch]:
        """Yields the existing commits of the source, and at the end a batch with a place to follow from."""
        async with contextlib.aclosing(log.follow(since)) as batches:
            async for batch in batches:
                yield Batch(self._mine(batch.commits), batch.place, batch.again)
                if not batch.again:
                    return

    def _mine(self, commits: Sequence[Commit]) -> Sequence[Commit]:
        return [commit for commit in commits if self.projection.source.owns(commit.stream)]
