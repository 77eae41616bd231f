"""Drains pending work: in order within a lane, by due time, and fairly between the dependencies that it needs."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from treaty.concurrency.guarded import HANDLER_SECONDS, guarded
from treaty.concurrency.tasks import at_once, ended
from treaty.dependencies import Breakers
from treaty.followers.attempts import Attempts
from treaty.followers.leases import Sure
from treaty.followers.pending import Item, Pending
from treaty.followers.turns import Turns
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_AT_ONCE = 32
"""How many items of one group are tried at the same time, so that no group takes everything for itself."""

_LOOKS_UNTIL_LOADED = 12
"""After so many looks at the clock all lanes are read again."""

_NOW = 0.0
"""The time of lanes that are due at once, also if the server's clock is set back."""

_GATHER_SECONDS = 0.1
"""Timers that fall due within this time wait together for the inbox to be read."""

_UNKNOWN = ""
"""The group of lanes whose first item was not read yet."""


class PendingWork:
    """Parks work, and drains it in order within a lane; a failed item is put off, longer each time, never given up.

    The lanes and the times of the next timers are kept in memory, because only one process at a time drains them. An
    item is read when its turn comes, and the server's clock decides whether it is due.

    Args:
        run: does the work of an item; an exception means "not now".
        sure: returns when this process is sure to hold the lease.
        read_inbox: returns when everything that is in the inbox at the time of the call has been handled. A timer fires
            after that, so that an answer that came in time counts.
        look_every: seconds between looks at the server's clock; a jump of that clock is noticed so late.
        run_seconds: how long one try may take.
        most_timers: how many timers are kept in memory; the others stay in the store until their time comes near.
    """

    def __init__(
        self,
        pending: Pending,
        run: Callable[[Item], Awaitable[None]],
        *,
        surroundings: Surroundings,
        sure: Sure = at_once,
        read_inbox: Callable[[], Awaitable[None]] = at_once,
        look_every: float = 5.0,
        run_seconds: float = HANDLER_SECONDS,
        most_timers: int = 10_000,
        breakers: Breakers | None = None,
    ) -> None:
        self._pending, self._sure, self._read_inbox = pending, sure, read_inbox
        self._probe = surroundings.probe
        self._look_every, self._most_timers = look_every, most_timers
        self._breakers = breakers or Breakers(surroundings)
        self._attempts = Attempts(pending, run, self._breakers, surroundings, run_seconds)
        self._turns = Turns()
        self._last: dict[str, str] = {}
        self._adding: Counter[str] = Counter()
        self._busy: set[str] = set()
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._overdue: list[str] = []
        self._may_fire: set[str] = set()
        self._gathering = False
        self._timers_until, self._clock_ahead = math.inf, 0.0
        self._wake = asyncio.Event()

    def parked(self, lane: str) -> bool:
        """Returns whether work of the lane waits, so that later work must wait behind it."""
        return lane in self._last

    async def park(self, item: Item, started: "asyncio.Task[None] | None" = None) -> None:
        """Keeps an item; returns when a majority has it. `started` is a first attempt that is already running."""
        lane = item.lane
        if not item.is_timer:
            self._last[lane] = max(self._last.get(lane, ""), item.id)
            self._adding[lane] += 1
        if started is not None:
            self._busy.add(lane)
        self._probe.reach("pending.adding")
        try:
            await self._pending.add([item])
        except BaseException:
            started = None
            self._busy.discard(lane)
            raise
        finally:
            self._stored(item, started)
        self._probe.reach("pending.added")

    def _stored(self, item: Item, started: "asyncio.Task[None] | None") -> None:
        """Lets an item wait for its turn. If its storing was cut off, the store may have it all the same."""
        if not item.is_timer:
            self._adding[item.lane] -= 1
            if not self._adding[item.lane]:
                del self._adding[item.lane]
        if started is not None:
            self._start(item, started)
            return
        if item.is_timer and item.due is not None:
            self._expect_timer(item.lane, item.due)
        elif item.lane not in self._busy and item.lane not in self._turns:
            self._put(item.lane, _NOW, item.group)

    def _expect_timer(self, id: str, due: datetime) -> None:
        at = due.timestamp()
        if at > self._timers_until or id in self._busy or id in self._turns:
            return
        if len(self._turns) >= self._most_timers:
            self._timers_until = min(self._timers_until, at)
            return
        self._put(id, at, _UNKNOWN)

    async def load(self) -> None:
        """Reads which lanes have parked work, and the timers that are due first; must run before all else."""
        self._note_time(await self._pending.now())
        for lane, last in (await self._pending.lanes()).items():
            if lane not in self._last:
                self._last[lane] = last
                self._put(lane, _NOW, _UNKNOWN)
        await self._load_timers()

    async def _load_timers(self) -> None:
        found = await self._pending.timers(self._most_timers)
        self._timers_until = math.inf
        for id, due in found.items():
            if id not in self._busy and id not in self._turns:
                self._put(id, due.timestamp(), _UNKNOWN)
        if len(found) == self._most_timers:
            self._timers_until = max(due.timestamp() for due in found.values())

    async def work(self) -> None:
        """Drains until it is cancelled."""
        looking = asyncio.create_task(self._look_often())
        try:
            while True:
                self._wake.clear()
                await self._sure()
                pause = await self._start_due()
                waiting = asyncio.create_task(self._wake.wait())
                try:
                    await asyncio.wait([waiting], timeout=min(pause, 60.0))
                finally:
                    waiting.cancel()
        finally:
            await ended([looking, *self._tasks])

    async def _look_often(self) -> None:
        """Asks for the server's time regularly, and rarely reads all lanes: a late write may have added one."""
        looks = 0
        while True:
            await asyncio.sleep(self._look_every)
            looks += 1
            try:
                await guarded(self._look(looks))
            except Exception as away:
                logger.debug("pending work cannot be looked at now", why=str(away))

    async def _look(self, looks: int) -> None:
        self._note_time(await self._pending.now())
        if self._timers_until < math.inf and (
            self._now() >= self._timers_until or len(self._turns) < self._most_timers / 2
        ):
            await self._load_timers()
        if looks % _LOOKS_UNTIL_LOADED == 0:
            await self.load()

    def _now(self) -> float:
        """Returns the server's time in seconds, as far as it is known."""
        return asyncio.get_running_loop().time() + self._clock_ahead

    def _note_time(self, now: datetime) -> None:
        self._clock_ahead = now.timestamp() - asyncio.get_running_loop().time()
        self._wake.set()

    def _put(self, lane: str, at: float, group: str) -> None:
        self._turns.put(lane, at, group)
        self._wake.set()

    async def _start_due(self) -> float:
        """Starts lanes that are due, of each group as many as it may; returns the seconds until another is due."""
        pause = math.inf
        for group in self._turns.groups():
            wait = self._turns.next_at(group) - self._now()
            if wait <= 0:
                wait = await self._start_group(group)
            pause = min(pause, wait)
        return max(pause, 0.0)

    async def _start_group(self, group: str) -> float:
        """Starts lanes of one group; returns the seconds until more can be started, unless one ends before."""
        free = _AT_ONCE - self._running[group]
        if free <= 0:
            return math.inf
        if not self._breakers.admit(group):
            return self._breakers.pause(group)
        lanes = self._turns.take(group, self._now(), 1 if self._breakers.is_open(group) else free)
        known = {lane: self._last.get(lane) for lane in lanes}
        self._busy.update(lanes)
        try:
            found = await guarded(self._pending.first(lanes))
        except Exception as away:
            logger.warning("pending work cannot be read now", error=str(away))
            for lane in lanes:
                self._release(lane, 1.0, group)
            return 1.0
        for lane in lanes:
            first = found.get(lane)
            if first is None:
                self._forget(lane, known[lane])
            else:
                self._take_turn(first.item, first.wait, group)
        return self._turns.next_at(group) - self._now()

    def _take_turn(self, item: Item, wait: float, group: str) -> None:
        """Starts an item, or lets it wait: for its time, for its group's turn, or for the inbox to be read."""
        if wait > 0 and item.due is not None:
            self._note_time(item.due - timedelta(seconds=wait))
            self._release(item.lane, wait, item.group)
        elif item.is_timer and not item.attempts and item.lane not in self._may_fire:
            self._overdue.append(item.lane)
            if not self._gathering:
                self._gathering = True
                self._run_beside(self._let_overdue_fire())
        elif item.group != group and (self._running[item.group] >= _AT_ONCE or self._breakers.is_open(item.group)):
            self._release(item.lane, 0.0, item.group)
        else:
            self._start(item, None)

    async def _let_overdue_fire(self) -> None:
        """Gathers timers for a moment, and lets them fire when the inbox has been read."""
        await asyncio.sleep(_GATHER_SECONDS)
        lanes, self._overdue, self._gathering = self._overdue, [], False
        await self._read_inbox()
        self._may_fire.update(lanes)
        for lane in lanes:
            self._release(lane, 0.0, _UNKNOWN)

    def _release(self, lane: str, seconds: float, group: str) -> None:
        """Lets a lane that was busy wait for its next turn."""
        self._busy.discard(lane)
        self._put(lane, self._now() + seconds if seconds else _NOW, group)

    def _forget(self, lane: str, last: str | None) -> None:
        """Drops a lane that is empty in the store, unless an item of it is on its way there."""
        self._busy.discard(lane)
        self._may_fire.discard(lane)
        if lane in self._adding:
            return
        if self._last.get(lane) == last:
            self._last.pop(lane, None)
        else:
            self._put(lane, _NOW, _UNKNOWN)

    def _start(self, item: Item, started: "asyncio.Task[None] | None") -> None:
        self._busy.add(item.lane)
        self._running[item.group] += 1
        self._run_beside(self._attempt(item, started))

    def _run_beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, item: Item, started: "asyncio.Task[None] | None") -> None:
        try:
            later = await self._attempts.make(item, started)
        finally:
            self._running[item.group] -= 1
            self._wake.set()
        if later is None:
            self._settle(item)
        else:
            self._release(item.lane, later.seconds, later.group)

    def _settle(self, item: Item) -> None:
        """Lets the next item of a lane take its turn, if there is one."""
        self._busy.discard(item.lane)
        self._may_fire.discard(item.lane)
        if self._last.get(item.lane, "") <= item.id:
            self._last.pop(item.lane, None)
        else:
            self._put(item.lane, _NOW, _UNKNOWN)
