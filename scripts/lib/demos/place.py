"""Runs the contexts of a domain: a process for each on real servers, or all in this process on memory adapters."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treaty.chance import RandomIds
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import Broker
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.audit import Audit, audit
from treaty.operations.backlog import Backlog, backlog
from treaty.probes import Probe
from treaty.process.host import Host
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.service.stores import Stores
from treaty.settings import ProcessSettings, read_settings
from treaty.surroundings import Surroundings

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import ready, service


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The running contexts: the address and the stores of each, and the broker.

    Attributes:
        client: the client of MongoDB; None in memory.
    """

    addresses: Mapping[str, str]
    stores: Mapping[str, Stores]
    broker: Broker
    client: Any = None

    async def backlogs(self) -> Mapping[str, Backlog]:
        """Returns the work that each context has left. Timers that are not due are none."""
        partitions = read_settings(ProcessSettings, os.environ).partitions
        return {
            name: await backlog(_service(name, stores), stores, self.broker, partitions)
            for name, stores in self.stores.items()
        }

    async def audit(self, since: tuple[int, int]) -> Audit:
        """Audits whether all subscribers have handled every message from a position on."""
        contexts = [(_service(name, stores), stores.log) for name, stores in self.stores.items()]
        return await audit(contexts, since=since)

    async def now(self) -> tuple[int, int]:
        """Returns a position before that of every later commit."""
        return min([(await stores.log.end()).position for stores in self.stores.values()])


def _service(name: str, stores: Stores) -> Service:
    return load_context(name)(Ports(stores=stores, surroundings=Surroundings()))


@asynccontextmanager
async def embedded(probes: Mapping[str, Probe], settings: Mapping[str, str]) -> AsyncIterator[Place]:
    """Runs the contexts of the probes in this process, on memory adapters."""
    told = {**settings, "GRPC_PORT": "0", "GRPC_HOST": "127.0.0.1", "HTTP_PORT": "0", "HTTP_HOST": "127.0.0.1"}
    broker = MemoryBroker()
    stores = {name: MemoryStores(Surroundings()) for name in probes}
    host = Host(
        contexts=tuple(probes),
        settings=read_settings(ProcessSettings, told),
        stores=stores.__getitem__,
        broker=broker,
        environ=told,
        probes=probes,
    )
    await host.start()
    try:
        assert host.server is not None
        address = f"127.0.0.1:{host.server.port}"
        await ready(address)
        yield Place(addresses=dict.fromkeys(probes, address), stores=stores, broker=broker)
    finally:
        await host.stop()


@asynccontextmanager
async def processes(contexts: Sequence[str], environ: Mapping[str, str], logs: Path) -> AsyncIterator[Place]:
    """Runs each context in its own process, with its output in a file in `logs`."""
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(contexts, free_ports(len(contexts)), strict=True)}
    peers = ",".join(f"{name}={address}" for name, address in addresses.items())
    async with AsyncExitStack() as stack:
        running = []
        for name, address in addresses.items():
            own = {**environ, "GRPC_PORT": address.rpartition(":")[2], "GRPC_HOST": "127.0.0.1"}
            own |= {"HTTP_PORT": "0", "HTTP_HOST": "127.0.0.1", "TREATY_PEERS": peers}
            running.append(service(name, ["-m", "treaty.cli", "run", name], own, logs, address))
        await asyncio.gather(*map(stack.enter_async_context, running))
        client = connect(environ["MONGODB_URI"], "motor")
        stack.push_async_callback(close, client)
        broker = RabbitBroker(environ["AMQP_URL"], name="demo", ids=RandomIds())
        stack.push_async_callback(broker.close)
        stores = {name: MongoStores(client, name, surroundings=Surroundings()) for name in contexts}
        yield Place(addresses=addresses, stores=stores, broker=broker, client=client)
