"""The faults for the real stack. Each function injects a fault, waits a while, and repairs it."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import aio_pika

from scripts.lib.prove.fleet import Fleet, Service
from scripts.lib.prove.ground import ACCOUNTS, CONTEXTS, LEDGER
from scripts.lib.prove.ground import accounts_pb2 as accounts
from scripts.lib.prove.proxy import Proxy
from scripts.lib.prove.servers import Servers

_WITHOUT_ALARM = "50MB"

LONG = "service_frozen"
"""The kind of fault that lasts long, and is injected more rarely than the others."""

_FROZEN_SHARE = 0.6
"""The share of a freeze after which events must flow again: the broker needs about 2.4 heartbeats of 5 s."""

_OPERATOR_TRIES = 5
_FAILPOINT_TRIES = 60


@dataclass(slots=True)
class Faults:
    """Injects faults. `all` has them by name.

    Args:
        to_broker: the proxy between the services and the broker.
        to_clients: the proxy between the clients and the service that they ask.
        amqp_url: the address of the broker's virtual host.
        flow: the times at which a subscriber received the ledger's events.
        lasting: the seconds that a fault lasts, for the faults whose duration can be chosen.
        frozen: the seconds for which `service_frozen` stops a process.
        broken: a sentence for each promise that was broken during a fault.
    """

    servers: Servers
    fleet: Fleet
    to_broker: Proxy
    to_clients: Proxy
    chance: random.Random
    amqp_url: str
    flow: Sequence[float] = ()
    lasting: float = 3.0
    frozen: float = 40.0
    broken: list[str] = field(default_factory=list)

    @property
    def all(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {
            "service_killed": self.service_killed,
            "service_stopped": self.service_stopped,
            LONG: self.service_frozen,
            "service_deployed": self.service_deployed,
            "scaled_out_and_in": self.scaled_out_and_in,
            "primary_killed": self.primary_killed,
            "primary_stopped": self.primary_stopped,
            "primary_stepped_down": self.primary_stepped_down,
            "replication_stopped": self.replication_stopped,
            "broker_restarted": self.broker_restarted,
            "connections_closed": self.connections_closed,
            "disk_alarm": self.disk_alarm,
            "unroutable_window": self.unroutable_window,
            "broker_slow": self.broker_slow,
            "broker_cut": self.broker_cut,
            "broker_half_open": self.broker_half_open,
            "clients_cut": self.clients_cut,
            "read_model_rebuilt": self.read_model_rebuilt,
            "history_replayed": self.history_replayed,
        }

    def _service(self, context: str = "") -> Service:
        return self.chance.choice(self.fleet.living(context or self.chance.choice(CONTEXTS)))

    async def service_killed(self, context: str = "") -> None:
        """Ends a process with kill -9, and starts the next one."""
        service = self._service(context)
        await self.fleet.kill(service)
        await self.fleet.start(service.context)

    async def service_stopped(self, context: str = "") -> None:
        """Stops a process with SIGSTOP for longer than its leases last, while another takes over; then continues it."""
        service = self._service(context)
        service.stopped = True
        service.signal(signal.SIGSTOP)
        await self.fleet.start(service.context)
        await asyncio.sleep(self.lasting)
        service.signal(signal.SIGCONT)
        service.stopped = False
        await asyncio.sleep(self.lasting / 2)
        await self.fleet.drain(service)

    async def service_frozen(self) -> None:
        """Stops the ledger's process for long, with another beside it. Events must flow again before it wakes."""
        loop = asyncio.get_running_loop()
        service = self._service(LEDGER)
        await self.fleet.start(LEDGER)
        began = loop.time()
        service.stopped = True
        service.signal(signal.SIGSTOP)
        await asyncio.sleep(self.frozen)
        moments = [began, *(moment for moment in self.flow if moment > began), loop.time()]
        silence = max(after - before for before, after in pairwise(moments))
        if silence > _FROZEN_SHARE * self.frozen:
            self.broken.append(f"no event came for {silence:.0f} of the {self.frozen:.0f} s that a process was frozen")
        service.signal(signal.SIGCONT)
        service.stopped = False
        await asyncio.sleep(self.lasting)
        await self.fleet.drain(service)

    async def service_deployed(self) -> None:
        """Starts the next process, and drains the one before it, as a deployment does."""
        service = self._service()
        await self.fleet.start(service.context)
        await self.fleet.drain(service)

    async def scaled_out_and_in(self) -> None:
        """Starts two more processes, and drains them after a while."""
        context = self.chance.choice(CONTEXTS)
        more = await asyncio.gather(self.fleet.start(context), self.fleet.start(context))
        await asyncio.sleep(self.lasting)
        await asyncio.gather(*(self.fleet.drain(service) for service in more))

    async def primary_killed(self) -> None:
        """Ends the primary with kill -9, and starts it again after a while."""
        primary = await self.servers.primary()
        await primary.kill()
        await asyncio.sleep(self.lasting)
        await primary.start()
        await self.servers.whole()

    async def primary_stopped(self) -> None:
        """Stops the primary with SIGSTOP for longer than an election takes; then continues it."""
        primary = await self.servers.primary()
        self.servers.stopped.add(primary.port)
        primary.signal(signal.SIGSTOP)
        await asyncio.sleep(self.lasting + 2.0)
        primary.signal(signal.SIGCONT)
        self.servers.stopped.discard(primary.port)
        await self.servers.whole()

    async def primary_stepped_down(self) -> None:
        primary = await self.servers.primary()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(primary.ask, {"replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5})
        await self.servers.primary()

    async def replication_stopped(self) -> None:
        """Stops replication, so that the primary accepts writes that no majority has."""
        secondaries = await self.servers.secondaries()
        try:
            for member in secondaries:
                await _failpoint(member.ask, "alwaysOn")
            await asyncio.sleep(self.lasting)
        finally:
            for member in secondaries:
                await _failpoint(member.ask, "off")

    async def broker_restarted(self) -> None:
        """Ends the broker in an orderly way, and starts it again."""
        await self.servers.ctl("stop_app")
        await asyncio.sleep(self.lasting / 2)
        await self.servers.ctl("start_app")
        await self.servers.broker_ready()

    async def connections_closed(self) -> None:
        await self.servers.ctl("close_all_connections", "a proof")

    async def disk_alarm(self) -> None:
        """Makes the broker block its publishers. A message sent meanwhile may arrive after its sender has given up."""
        await self.servers.ctl("set_disk_free_limit", "900GB")
        await asyncio.sleep(self.lasting + 4.0)
        await self.servers.ctl("set_disk_free_limit", _WITHOUT_ALARM)

    async def unroutable_window(self) -> None:
        """Deletes the ledger's binding. The ledger declares the binding again some seconds later."""
        connection = await aio_pika.connect(self.amqp_url)
        async with connection:
            channel = await connection.channel()
            inbox = await channel.get_exchange(f"{LEDGER}.slots", ensure=False)
            await inbox.unbind(f"{ACCOUNTS}.events", routing_key=accounts.Moved.DESCRIPTOR.full_name)
        await asyncio.sleep(self.lasting)

    async def broker_slow(self) -> None:
        self.to_broker.delay = 0.2
        await asyncio.sleep(self.lasting)
        self.to_broker.delay = 0.0

    async def broker_cut(self) -> None:
        self.to_broker.cut()

    async def broker_half_open(self) -> None:
        """Drops all data to and from the broker without closing the connections; resets the connections at the end."""
        self.to_broker.silent = True
        await asyncio.sleep(self.lasting + 4.0)
        self.to_broker.cut()
        self.to_broker.silent = False

    async def clients_cut(self) -> None:
        """Resets the clients' connections five times, so that answers are lost on their way."""
        for _ in range(5):
            self.to_clients.cut()
            await asyncio.sleep(self.lasting / 5)

    async def read_model_rebuilt(self) -> None:
        """Rebuilds a read model in an operator's process, which is killed with kill -9 half of the time."""
        await self._operate("rebuild", self.chance.choice(CONTEXTS), str(self.chance.randrange(100)))

    async def history_replayed(self) -> None:
        """Replays the last minute of the accounts to the ledger in an operator's process; kills it half of the time.

        A replay that a killed operator left open is abandoned, as a person would do.
        """
        if not await self._operate("replay", ACCOUNTS, LEDGER):
            await self._repeat("abandon", LEDGER)

    async def _operate(self, *arguments: str) -> bool:
        """Returns whether an operator's work was done; it is not done if its process is killed at a random moment."""
        if self.chance.random() < 0.5:
            return await self._repeat(*arguments)
        operator = await self.fleet.operate(*arguments)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.chance.uniform(0.5, 0.5 + self.lasting)):
                await operator.wait()
        if operator.returncode is None:
            operator.kill()
        return await operator.wait() == 0

    async def _repeat(self, *arguments: str) -> bool:
        """Does an operator's work again until it succeeds, as a person would do. Records a fault if it never does."""
        for _ in range(_OPERATOR_TRIES):
            operator = await self.fleet.operate(*arguments)
            if await operator.wait() == 0:
                return True
            await asyncio.sleep(self.lasting)
        self.broken.append(f"an operator's work was not done in {_OPERATOR_TRIES} tries: {' '.join(arguments)}")
        return False


async def _failpoint(ask: Callable[[dict[str, object]], object], mode: str) -> None:
    """Sets a fail point. A member that is busy may not answer in time."""
    for left in reversed(range(_FAILPOINT_TRIES)):
        try:
            await asyncio.to_thread(ask, {"configureFailPoint": "stopReplProducer", "mode": mode})
        except OSError:
            if not left:
                raise
            await asyncio.sleep(0.5)
        else:
            return
