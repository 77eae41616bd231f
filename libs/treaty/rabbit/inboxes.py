"""The inboxes at the broker: found, declared, and bound to their producers."""

import asyncio
from collections.abc import Sequence

import structlog
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed

from treaty.concurrency.guarded import guarded, guarding
from treaty.messaging.broker import Topology, TopologyDiffers
from treaty.rabbit.channels import FAILURES, close
from treaty.rabbit.hashed import Hashed, layout_of
from treaty.rabbit.link import Link
from treaty.rabbit.policies import Policies
from treaty.rabbit.refusals import away
from treaty.rabbit.topology import Slots, bind, declare_exchange

logger = structlog.get_logger()


class Inboxes:
    """Declares the topologies of contexts, each in the layout that its inbox has at the broker.

    Args:
        timeout: seconds for each request to the broker.
        policies: checked with each declaration; by default they are not.
    """

    def __init__(self, link: Link, timeout: float, policies: Policies | None) -> None:
        self._link, self._timeout, self._policies = link, timeout, policies
        self._layouts: dict[str, Slots | Hashed] = {}
        self._slots_declared: dict[str, int] = {}

    async def declare(self, topology: Topology) -> None:
        """Makes the context's exchanges, queues and bindings, and checks them.

        It is given up after six times the timeout, because the layout may be another one by then.

        Raises:
            TopologyDiffers, BrokerAway
        """
        try:
            async with asyncio.timeout(6 * self._timeout):
                await self._declare(topology)
        except TimeoutError as error:
            raise away(error) from error

    async def _declare(self, topology: Topology) -> None:
        layout = await self.layout(topology, again=True)
        channel = await self._link.channel()
        try:
            with guarding():
                await self._declare_in(channel, topology, layout)
        except ChannelPreconditionFailed as error:
            raise TopologyDiffers(f"the topology of {topology.context} is not as declared: {error}") from error
        except FAILURES as error:
            raise away(error) from error
        finally:
            await close(channel)
        if self._policies is not None and topology.subscribes:
            await self._policies.check(topology.context, _names(topology, layout))

    async def _declare_in(self, channel: AbstractChannel, topology: Topology, layout: Slots | Hashed) -> None:
        async with asyncio.timeout(4 * self._timeout):
            await declare_exchange(channel, topology)
            if topology.subscribes:
                await self._declare_inbox(channel, topology, layout)

    async def _declare_inbox(self, channel: AbstractChannel, topology: Topology, layout: Slots | Hashed) -> None:
        """Declares an inbox, with the bindings of its slots once for each connection, and binds it to its producers.

        Of one that is left, only the renewal declares anything: what a process declares late would stay behind it.
        """
        if isinstance(layout, Hashed) and layout.is_left:
            return
        opened = self._link.opened
        slots = self._slots_declared.get(topology.context) != opened
        inbox = await layout.declare(channel, topology, slots=slots)
        await bind(channel, inbox, topology.subscribes)
        self._slots_declared[topology.context] = opened

    async def layout(self, topology: Topology, *, again: bool = False) -> Slots | Hashed:
        """Returns the layout of an inbox. The older one may be left at any time; the new one stays.

        Raises:
            BrokerAway
        """
        known = self._layouts.get(topology.context)
        if known is not None and not (again and isinstance(known, Hashed)):
            return known
        try:
            async with asyncio.timeout(2 * self._timeout):
                found = await guarded(layout_of(topology, self._link.channel))
        except FAILURES as error:
            raise away(error) from error
        if isinstance(found, Hashed) and known is None:
            logger.warning("the inbox has the older layout; see treaty topology renew", context=topology.context)
        self._layouts[topology.context] = found
        return found

    def forget(self, topology: Topology) -> None:
        """Finds the layout again before it is used next, because a queue may be gone."""
        self._layouts.pop(topology.context, None)

    async def queue(self, topology: Topology, partition: int) -> str:
        return (await self.layout(topology)).queue(topology, partition)

    async def entry(self, topology: Topology) -> str:
        """Returns the exchange that puts what comes now into the partition of its key."""
        return (await self.layout(topology)).entry.inbox(topology)

    async def last(self, topology: Topology, partition: int) -> str:
        """Returns the queue that is behind everything that has come to a partition so far."""
        return (await self.layout(topology, again=True)).entry.queue(topology, partition)

    async def queues(self, topology: Topology) -> Sequence[str]:
        """Returns the names of the queues of all partitions."""
        layout = await self.layout(topology)
        return [layout.queue(topology, partition) for partition in range(topology.partitions)]


def _names(topology: Topology, layout: Slots | Hashed) -> Sequence[str]:
    """Returns the names of the queues in which messages of the inbox may be; in a renewal, those of both layouts."""
    layouts: list[Slots | Hashed] = [layout]
    if isinstance(layout, Hashed) and layout.is_left:
        layouts.append(Slots())
    return [one.queue(topology, partition) for one in layouts for partition in range(topology.partitions)]
