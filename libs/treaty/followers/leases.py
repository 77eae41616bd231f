"""Leases say which process does what only one may do; checkpoints say how far each follower has come."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from treaty.commits.log import Place
from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import ended

logger = structlog.get_logger()


T = TypeVar("T")

Sure = Callable[[], Awaitable[None]]
"""Returns when this process is sure to hold the lease of its work. Work calls it before it starts something new."""


class LeaseTaken(Exception):
    """Another process holds the lease."""


class LeaseLost(Exception):
    """Another process holds the lease, or the store has not answered for so long that one may. Stop at once."""


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

    async def renew(self, owners: Mapping[str, str], seconds: float) -> Collection[str]:
        """Renews leases, {name: owner}, with one request; returns the names of those that still belong to their owner.

        An expired lease that nobody else has taken still belongs to its owner, with the same epoch.
        """
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


@dataclass(eq=False, slots=True)
class Lease:
    """A lease that this process holds.

    While its renewal is late, this process cannot be sure to hold it: then the work starts nothing new. It goes on
    where it was once the renewal shows that nobody else has taken the lease.
    """

    name: str
    owner: str
    epoch: int
    sure_until: float
    _lost: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _renewed: asyncio.Event = field(default_factory=asyncio.Event)

    async def sure(self) -> None:
        """Returns when this process is sure to hold the lease, by its own clock."""
        while asyncio.get_running_loop().time() >= self.sure_until:
            self._renewed.clear()
            await self._renewed.wait()

    async def lost(self) -> None:
        """Waits until the lease is lost, and raises LeaseLost."""
        await asyncio.shield(self._lost)

    def extend(self, sure_until: float) -> None:
        self.sure_until = sure_until
        self._renewed.set()

    def lose(self, why: str) -> None:
        if not self._lost.done():
            self._lost.set_exception(LeaseLost(f"{self.name} {why}"))
            self._lost.exception()  # it need not be awaited


@dataclass(slots=True)
class LeaseKeeper:
    """Holds the leases of one process and context, and renews all of them with one request.

    Args:
        seconds: for which a lease is held without a renewal. A process that gets no answer from the store for twice as
            long gives its leases up: its rivals may have taken them.
    """

    leases: Leases
    seconds: float
    _held: dict[str, Lease] = field(default_factory=dict)
    _renewing: "asyncio.Task[None] | None" = None

    async def hold(self, name: str, owner: str, work: Callable[[Lease], Awaitable[T]]) -> T:
        """Does the work while this process holds the lease, and gives the lease up at the end.

        Args:
            owner: different each time, because a request of an earlier holding may still arrive.

        Raises:
            LeaseTaken: another process holds the lease; nothing was done.
            LeaseLost: the lease was lost before the work was done.
        """
        asked = asyncio.get_running_loop().time()
        epoch = await guarded(self.leases.acquire(name, owner, self.seconds))
        if epoch is None:
            raise LeaseTaken(f"{name} is held by another process")
        lease = self._held[name] = Lease(name, owner, epoch, asked + self.seconds)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        working = asyncio.create_task(guarded(work(lease)))
        losing = asyncio.create_task(lease.lost())
        try:
            await asyncio.wait([working, losing], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                losing.result()
            return working.result()
        finally:
            try:
                await ended([working, losing])
            finally:
                await self._give_up(lease)

    async def _give_up(self, lease: Lease) -> None:
        del self._held[lease.name]
        if not self._held and self._renewing is not None:
            renewing, self._renewing = self._renewing, None
            await ended([renewing])
        with contextlib.suppress(Exception):
            await guarded(self.leases.release(lease.name, lease.owner))

    async def _renew(self) -> None:
        pause = 0.4 * self.seconds
        while True:
            await asyncio.sleep(pause)
            pause = (0.4 if await self._renew_all() else 0.05) * self.seconds

    async def _renew_all(self) -> bool:
        """Renews all leases; returns whether the store has answered."""
        held = list(self._held.values())
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self.seconds):
                kept = await guarded(self.leases.renew({lease.name: lease.owner for lease in held}, self.seconds))
        except Exception as error:
            why = str(error) or "the store does not answer"
            logger.warning("the leases could not be renewed yet", leases=sorted(self._held), error=why)
            self._lose_overdue(held, asked)
            return False
        for lease in held:
            if lease.name in kept:
                lease.extend(asked + self.seconds)
            else:
                lease.lose("belongs to another process")
        return True

    def _lose_overdue(self, held: Sequence[Lease], asked: float) -> None:
        """Gives up leases that the store has not confirmed for long, though it was asked after they became unsure.

        A process that was frozen in the middle of a request asks again first.
        """
        now = asyncio.get_running_loop().time()
        for lease in held:
            if asked > lease.sure_until and now > lease.sure_until + self.seconds:
                lease.lose("could not be renewed, so another process may have it")
