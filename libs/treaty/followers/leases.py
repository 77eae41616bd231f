"""Leases say which process does what only one may do; checkpoints say how far each follower has come."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from treaty.commits.log import Place

logger = structlog.get_logger()


T = TypeVar("T")


class LeaseTaken(Exception):
    """Another process holds the lease."""


class LeaseLost(Exception):
    """Another process holds the lease by now, or may. Stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease, and until when unless it is renewed."""

    owner: str
    epoch: int
    until: datetime


class Leases(Protocol):
    """The leases of one context: one process at a time holds each. Times are the server's."""

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Takes or renews the lease. Returns its epoch, which grows with each new owner, or None: somebody has it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Gives the lease up early."""
        ...

    async def holders(self) -> Mapping[str, Holder]:
        """Returns who holds each lease that somebody holds now, by its name."""
        ...


class Checkpoints(Protocol):
    """Keeps the places of followers. A holder of an older epoch is refused."""

    async def load(self) -> Mapping[str, Place]:
        """Returns the place of every follower that has one."""
        ...

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        """Stores places. A place that lies before the stored one changes nothing: it is a write that came late.

        Raises:
            LeaseLost: if a newer epoch has stored its own.
        """
        ...

    async def note(self, name: str, error: str) -> None:
        """Keeps why a follower is halted, for people to look at; nothing, once it works again."""
        ...

    async def halted(self) -> Mapping[str, str]:
        """Returns the error of every follower that is halted, by its name."""
        ...

    async def forget(self, names: Sequence[str]) -> None:
        """Drops the places of followers that are no more."""
        ...


async def hold(leases: Leases, name: str, owner: str, seconds: float, work: Callable[[int], Awaitable[T]]) -> T:
    """Does the work while this owner holds the lease, and gives the lease up at the end.

    The lease is renewed meanwhile. When it is lost, or could be, the work is cancelled before another process starts.

    Args:
        owner: different each time, because what an earlier holding sent may still arrive.
        work: gets the epoch of the lease.

    Raises:
        LeaseTaken: another process holds the lease; nothing was done.
        LeaseLost: the lease was lost before the work was done.
    """
    epoch = await leases.acquire(name, owner, seconds)
    if epoch is None:
        raise LeaseTaken(f"{name} is held by another process")
    working = asyncio.ensure_future(work(epoch))
    renewing = asyncio.create_task(_renew(leases, name, owner, epoch, seconds))
    try:
        await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            renewing.result()
        return working.result()
    finally:
        for task in (working, renewing):
            task.cancel()
        await asyncio.gather(working, renewing, return_exceptions=True)
        with contextlib.suppress(Exception):
            await leases.release(name, owner)


async def _renew(leases: Leases, name: str, owner: str, epoch: int, seconds: float) -> None:
    """Renews a lease until it is lost, or could be."""
    loop = asyncio.get_running_loop()
    sure_until = loop.time() + seconds
    while True:
        await asyncio.sleep(seconds / 4)
        asked = loop.time()
        try:
            async with asyncio.timeout_at(sure_until - seconds / 10):
                renewed = await leases.acquire(name, owner, seconds)
        except TimeoutError:
            raise LeaseLost(f"{name} could not be renewed in time") from None
        except Exception as error:
            logger.warning("a lease could not be renewed yet", lease=name, error=str(error))
            continue
        if renewed != epoch:
            raise LeaseLost(f"{name} belongs to another process")
        sure_until = asked + seconds
