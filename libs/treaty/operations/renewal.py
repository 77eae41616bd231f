"""Moves the inbox of a running context to the current layout, without a loss or a change of order.

The new inbox is bound to the producers first, and the older one is cut off after it, for all types of events at once.
Between the two an event comes to both. The processes read the older inbox to its end. Then it is deleted, and they go
on with the new one, where all that came since then waits; what they have handled before takes no effect again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.operations.marks import Marks
from treaty.service.stores import Stores

_LOOK_EVERY = 0.1
_MARK_AGAIN_SECONDS = 60.0

DECLARING_SECONDS = 30.0
"""The longest time from a process's look at the layout to the end of its declaration of it, twice the usual timeout."""


class OldInbox(Protocol):
    """The older inbox of one context at the broker, and its successor."""

    async def is_there(self) -> bool: ...

    async def is_cut(self) -> bool:
        """Returns whether nothing comes to the older inbox any more."""
        ...

    async def prepare(self) -> None:
        """Declares the new inbox. From now on, a process declares nothing of either of them."""
        ...

    async def switch(self) -> None:
        """Binds the new inbox to the producers, and cuts the older one off."""
        ...

    async def waiting(self) -> int:
        """Returns how many messages wait in the older inbox."""
        ...

    async def delete(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Moves one inbox. One that was interrupted is begun again.

    Attributes:
        marks: those that go to the older inbox.
        stores: the consumer's.
        tell: told, in a few words, what is waited for.
        settle: seconds until no process is in the middle of a declaration of the older inbox.
    """

    inbox: OldInbox
    marks: Marks
    stores: Stores
    tell: Callable[[str], None]
    settle: float = DECLARING_SECONDS

    async def run(self) -> bool:
        """Moves the inbox; returns False if it is not of the older layout.

        It waits as long as a partition is not read: all processes of the context must be of a version that knows both
        layouts.

        Raises:
            StoreAway, BrokerAway, NotAccepted: begin again.
        """
        if not await self.inbox.is_there():
            return False
        await self.inbox.prepare()
        self.tell(f"waiting {self.settle:.0f} s for processes that are declaring the older inbox")
        await asyncio.sleep(self.settle)
        await self._until_no_replay_is_open()
        await self.inbox.switch()
        while not await self._is_drained():
            pass
        await self.stores.quarantine.assign(self.marks.topology.partition_of)
        await self.inbox.delete()
        return True

    async def _until_no_replay_is_open(self) -> None:
        """Waits for replays, which deliver to the older inbox until it is cut off, and to the new one after it."""
        told: Sequence[str] = ()
        while not await self.inbox.is_cut() and (replays := [one.id for one in await self.stores.replays.open()]):
            if replays != told:
                self.tell(f"waiting for the end of the replays {', '.join(replays)}; they can be abandoned")
                told = replays
            await asyncio.sleep(_LOOK_EVERY)

    async def _is_drained(self) -> bool:
        """Puts a mark into the older inbox; returns whether all partitions came to it, and nothing is behind it."""
        now = asyncio.get_running_loop().time
        number, begun, told = await self.marks.put(), now(), None
        while left := await self.marks.left(number):
            if left != told:
                self.tell(f"waiting for {', '.join(f'p{p}' for p in left)} to be read to the end")
                told = left
            if now() > begun + _MARK_AGAIN_SECONDS:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return await self.inbox.waiting() == 0
