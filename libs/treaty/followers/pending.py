"""Pending work: calls, timers and messages that could not be delivered at once, so that the log can move on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

import structlog

from treaty.chance import backoff
from treaty.commits.commit import Document
from treaty.concurrency.lanes import Lanes
from treaty.dependencies import Breakers, DependencyAway
from treaty.probes import Waiting
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

Kind = Literal["call", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Work that waits. Ids of one lane sort in its order; only the first of a lane may run.

    `due` is None for "as soon as possible"; `body` depends on the kind; `since` is when it was committed.
    """

    id: str
    lane: str
    kind: Kind
    body: Document
    due: datetime | None = None
    attempts: int = 0
    error: str = ""
    since: datetime | None = None

    @property
    def is_timer(self) -> bool:
        """A timer is a lane of its own."""
        return self.lane == self.id


class Pending(Protocol):
    """Keeps pending work of one context. Only the holder of the followers' lease touches it."""

    async def add(self, items: Sequence[Item]) -> None:
        """Keeps the items on a majority; ids that are there already stay as they are."""
        ...

    async def due(self, limit: int) -> Sequence[Item]:
        """Returns items whose time has come by the server's clock and that are the first of their lane."""
        ...

    async def delay(self, item: Item, seconds: float) -> None:
        """Puts an item off, and stores its attempts and error."""
        ...

    async def done(self, id: str) -> None:
        """Forgets an item."""
        ...

    async def lanes(self) -> Mapping[str, str]:
        """Returns the id of the last item of each lane. Timers, which are lanes of their own, may be left out."""
        ...

    async def find(self, limit: int) -> Sequence[Item]:
        """Returns items by their ids, timers included, for people to look at."""
        ...

    async def waiting(self) -> Waiting:
        """Returns how many items are parked, timers not counted, and when the oldest was committed."""
        ...


class PendingWork:
    """Parks work, and drains it in order within a lane; what fails is put off, longer each time, never given up.

    Args:
        run: does the work of an item; an exception means "not now".
        interval: seconds between looks at the store.
    """

    def __init__(
        self,
        pending: Pending,
        run: Callable[[Item], Awaitable[None]],
        *,
        surroundings: Surroundings,
        interval: float = 0.1,
        breakers: Breakers | None = None,
    ) -> None:
        self._pending, self._run = pending, run
        self._chance, self._probe = surroundings.chance, surroundings.probe
        self._interval = interval
        self._lanes = Lanes()
        self._breakers = breakers or Breakers(surroundings)
        self._missing: dict[str, str] = {}
        self._busy: set[str] = set()
        self._settled: set[str] = set()
        self._last: dict[str, str] = {}

    def parked(self, lane: str) -> bool:
        """Returns whether work of the lane waits, so that later work must wait behind it."""
        return lane in self._last

    async def park(self, item: Item, started: "asyncio.Task[None] | None" = None) -> None:
        """Keeps an item; returns when a majority has it. `started` is a first attempt that is already running."""
        self._last[item.lane] = max(self._last.get(item.lane, ""), item.id)
        self._probe.reach("pending.adding")
        if started is None:
            await self._pending.add([item])
        else:
            await self._park_started(item, started)
        self._probe.reach("pending.added")

    async def _park_started(self, item: Item, started: "asyncio.Task[None]") -> None:
        """Keeps an item whose first attempt runs. If this is cancelled, the item is found in the store later."""
        self._busy.add(item.id)
        try:
            await self._pending.add([item])
        except BaseException:
            self._busy.discard(item.id)
            raise
        self._lanes.submit(item.lane, partial(self._attempt, item, started))

    async def load(self) -> None:
        """Reads which lanes have parked work; must run before all else."""
        self._last = dict(await self._pending.lanes())

    async def work(self) -> None:
        """Drains until it is cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._interval)
        finally:
            await self._lanes.close()

    async def _look(self) -> None:
        """Starts what is due. What was settled while the store was asked may be in its answer, and is over."""
        self._settled.clear()
        for item in await self._pending.due(200):
            if item.id not in self._busy and item.id not in self._settled:
                self._busy.add(item.id)
                self._lanes.submit(item.lane, partial(self._attempt, item))

    async def _attempt(self, item: Item, started: "asyncio.Task[None] | None" = None) -> None:
        """Tries an item. If the store is away afterwards, it is found there again: what it did has no second effect."""
        try:
            await self._try(item, started)
        except Exception as away:
            logger.warning("what became of pending work cannot be kept now", item=item.id, error=str(away))
        finally:
            self._settled.add(item.id)
            self._busy.discard(item.id)

    async def _try(self, item: Item, started: "asyncio.Task[None] | None") -> None:
        missing = self._missing.get(item.lane, "")
        if started is None and not self._breakers.admit(missing):
            await self._pending.delay(item, self._chance.jitter(1.0))
            return
        try:
            await (started or self._run(item))
        except Exception as error:
            if isinstance(error, DependencyAway):
                self._missing[item.lane] = error.dependency
                self._breakers.failed(error.dependency)
            await self._put_off(item, error)
            return
        self._breakers.succeeded(self._missing.pop(item.lane, ""))
        self._probe.reach("pending.done")
        await self._pending.done(item.id)
        if self._last.get(item.lane, "") <= item.id:
            self._last.pop(item.lane, None)

    async def _put_off(self, item: Item, error: Exception) -> None:
        self._probe.count("treaty.pending.retries", kind=item.kind)
        failed = replace(item, attempts=item.attempts + 1, error=f"{type(error).__name__}: {error}"[:500])
        await self._pending.delay(failed, self._chance.jitter(backoff(item.attempts, 0.5, 60.0)))
