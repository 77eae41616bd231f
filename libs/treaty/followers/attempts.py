"""Attempts at pending work: an item that fails is put off, longer each time, and never given up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from treaty.chance import backoff
from treaty.concurrency.guarded import guarded, guarded_for
from treaty.dependencies import Breakers, DependencyAway
from treaty.followers.pending import Item, Pending
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Later:
    """An item is to be tried again after so many seconds, in a group."""

    seconds: float
    group: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """Tries items, and keeps the outcome.

    Attributes:
        run: does the work of an item; an exception means "not now".
        seconds: how long that may take.
    """

    pending: Pending
    run: Callable[[Item], Awaitable[None]]
    breakers: Breakers
    surroundings: Surroundings
    seconds: float

    async def make(self, item: Item, started: "asyncio.Task[None] | None" = None) -> Later | None:
        """Tries an item, or waits for an attempt that has been started; returns None when the item is done.

        If the store is away afterwards, the item is tried again: a repetition has no second effect.
        """
        try:
            return await guarded(self._make(item, started))
        except Exception as away:
            logger.warning("the outcome of pending work cannot be kept now", item=item.id, error=str(away))
            return Later(1.0, item.group)

    async def _make(self, item: Item, started: "asyncio.Task[None] | None") -> Later | None:
        try:
            await guarded_for(self.seconds, started or self.run(item))
        except Exception as error:
            return await self._put_off(item, error)
        self.breakers.succeeded(item.missing)
        self.surroundings.probe.reach("pending.done")
        await self.pending.done(item.id)
        return None

    async def _put_off(self, item: Item, error: Exception) -> Later:
        missing = ""
        if isinstance(error, DependencyAway):
            missing = error.dependency
            self.breakers.failed(missing)
        self.surroundings.probe.count("treaty.pending.retries", kind=item.kind)
        text = f"{type(error).__name__}: {error}"[:500]
        failed = replace(item, attempts=item.attempts + 1, error=text, missing=missing)
        pause = self.surroundings.chance.jitter(backoff(item.attempts, 0.5, 60.0))
        await self.pending.delay(failed, pause)
        return Later(pause, failed.group)
