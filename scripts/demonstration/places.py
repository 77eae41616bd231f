"""Where the demo runs: one process per context on real servers, or everything in this process on memory adapters."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from treaty.backlog import Backlog, backlog
from treaty.broker import Broker
from treaty.contexts import load_context
from treaty.host import Host
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.ports import RandomChance, RandomIds, SystemClock
from treaty.probes import NoProbe, Probe
from treaty.rabbit.broker import RabbitBroker
from treaty.service import Ports, Service, Stores
from treaty.settings import ProcessSettings, read_settings

from scripts.lib.processes import free_ports, process, ready

CONTEXTS = ("commerce.ordering", "commerce.inventory", "commerce.payments")

_GATEWAY = {"PAYMENTS_GATEWAY_SECONDS": "1.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A running shop: the address of each context, and a look at what each has left to do."""

    addresses: Mapping[str, str]
    backlogs: Callable[[], Awaitable[Mapping[str, Backlog]]]


@asynccontextmanager
async def embedded(probes: Mapping[str, Probe]) -> AsyncIterator[Place]:
    """Runs all contexts in this process, on memory adapters."""
    settings = read_settings(ProcessSettings, {"GRPC_PORT": "0", "GRPC_HOST": "127.0.0.1"})
    broker = MemoryBroker()
    stores = {name: MemoryStores(SystemClock(), RandomChance()) for name in CONTEXTS}
    host = Host(
        contexts=CONTEXTS,
        settings=settings,
        stores=stores.__getitem__,
        broker=broker,
        environ={**_GATEWAY, "PAYMENTS_GATEWAY": "simulated"},
        probes=probes,
    )
    await host.start()
    try:
        assert host.server is not None
        address = f"127.0.0.1:{host.server.port}"
        await ready(address)
        yield Place(addresses=dict.fromkeys(CONTEXTS, address), backlogs=lambda: _backlogs(stores, broker))
    finally:
        await host.stop()


@asynccontextmanager
async def processes(environ: Mapping[str, str], logs: Path) -> AsyncIterator[Place]:
    """Runs the gateway and every context in a process of its own; their output goes to files in `logs`."""
    logs.mkdir(parents=True, exist_ok=True)
    ports = free_ports(len(CONTEXTS) + 1)
    gateway = f"127.0.0.1:{ports[-1]}"
    async with AsyncExitStack() as stack:
        simulator = ["-m", "services.commerce.payments.simulator", "--host", "127.0.0.1", "--port", str(ports[-1])]
        await stack.enter_async_context(process("gateway", [*simulator, "--late", "2"], environ, logs))
        addresses = {}
        for name, port in zip(CONTEXTS, ports, strict=False):
            own = {**environ, **_GATEWAY, "PAYMENTS_GATEWAY": gateway, "GRPC_PORT": str(port), "GRPC_HOST": "127.0.0.1"}
            await stack.enter_async_context(process(name, ["-m", "treaty.cli", "run", name], own, logs))
            addresses[name] = f"127.0.0.1:{port}"
        for address in addresses.values():
            await ready(address)
        client = connect(environ["MONGODB_URI"], "motor")
        stack.push_async_callback(close, client)
        broker = RabbitBroker(environ["AMQP_URL"], name="demo", ids=RandomIds())
        stack.push_async_callback(broker.close)
        stores = {n: MongoStores(client, n, chance=RandomChance(), probe=NoProbe()) for n in CONTEXTS}
        yield Place(addresses=addresses, backlogs=lambda: _backlogs(stores, broker))


async def _backlogs(stores: Mapping[str, Stores], broker: Broker) -> Mapping[str, Backlog]:
    partitions = read_settings(ProcessSettings, os.environ).partitions
    return {name: await backlog(_service(name, stores[name]), stores[name], broker, partitions) for name in CONTEXTS}


def _service(name: str, stores: Stores) -> Service:
    ports = Ports(stores=stores, clock=SystemClock(), ids=RandomIds(), chance=RandomChance(), probe=NoProbe())
    return load_context(name)(ports)
