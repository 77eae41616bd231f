"""Runs the shop: one process per context on real servers, or all contexts in this process on memory adapters."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from treaty.chance import RandomIds
from treaty.commits.log import Place as Beginning
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import Broker
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.audit import Audit, audit, history
from treaty.operations.backlog import Backlog, backlog
from treaty.probes import Probe
from treaty.process.host import Host
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import find_contexts, load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.service.stores import Stores
from treaty.settings import ProcessSettings, read_settings
from treaty.surroundings import Surroundings

from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import process, ready, service
from services.commerce.payments.external.gateway.client import Books, GatewayClient, SocketGateway

CONTEXTS = tuple(name for name in find_contexts() if name.startswith("commerce."))

_HERE = ("--host", "127.0.0.1", "--port")
_STAFF = "buying@shop.example"
_WITH_WEBHOOKS = ("commerce.payments", "commerce.shipping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The speed of the external systems, in seconds.

    Attributes:
        gateway: how long Payments waits for an answer of the gateway.
        late: how late the gateway may answer.
        carrier: the time between two reports of the carrier.
    """

    gateway: float = 1.0
    late: float = 2.0
    carrier: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A running shop: the address and the stores of each context, the broker, and the external systems.

    Attributes:
        pids: the id of each process, by the name of the context or the external system; empty in one process.
    """

    addresses: Mapping[str, str]
    stores: Mapping[str, Stores]
    broker: Broker
    gateway: GatewayClient
    mails: Callable[[], Sequence[Mapping[str, str]]]
    pids: Mapping[str, int] = field(default_factory=dict)

    async def backlogs(self) -> Mapping[str, Backlog]:
        """Returns the work that each context has left."""
        partitions = read_settings(ProcessSettings, os.environ).partitions
        return {
            name: await backlog(_service(name, stores), stores, self.broker, partitions)
            for name, stores in self.stores.items()
        }

    async def progress(self) -> object:
        """Returns a value that changes while a context does anything."""
        commits = {name: (await stores.log.behind(Beginning())).commits for name, stores in self.stores.items()}
        return commits, await self.backlogs()

    async def now(self) -> tuple[int, int]:
        """Returns a position before that of every later commit."""
        return min([(await stores.log.end()).position for stores in self.stores.values()])

    async def audit(self, since: tuple[int, int] = (0, 0)) -> Audit:
        """Audits whether all subscribers have handled every message from a position on."""
        contexts = [(_service(name, stores), stores.log) for name, stores in self.stores.items()]
        return await audit(contexts, since=since)

    async def durations_ms(self, requests: Collection[str]) -> Sequence[float]:
        """Returns for each request the milliseconds from the first integration event that it has caused to the last.

        Every context keeps the events with the request that began it all, so nothing needs to be traced.
        """
        times: dict[str, list[datetime]] = {request: [] for request in requests}
        for stores in self.stores.values():
            async for commit in history(stores.log):
                for event in commit.outbox:
                    cause = commit.causes[event.cause]
                    times.get(cause.correlation or cause.id, []).append(event.time)
        return [(max(each) - min(each)).total_seconds() * 1e3 for each in times.values() if each]

    async def books(self, reference: str = "*") -> Books:
        """Returns the money that the gateway holds, has captured and has refunded, for one order or for all."""
        return await self.gateway.books(reference)


@asynccontextmanager
async def embedded(
    probes: Mapping[str, Probe], *, pace: Pace | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Place]:
    """Runs all contexts in this process, on memory adapters."""
    pace = pace or Pace()
    told = {
        "GRPC_PORT": "0",
        "GRPC_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "HTTP_HOST": "127.0.0.1",
        "PAYMENTS_GATEWAY_SECONDS": str(pace.gateway),
        "SHIPPING_CARRIER_PACE": str(pace.carrier),
        "NOTIFICATIONS_STAFF_EMAIL": _STAFF,
        **(environ or {}),
    }
    broker = MemoryBroker()
    stores = {name: MemoryStores(Surroundings()) for name in CONTEXTS}
    host = Host(
        contexts=CONTEXTS,
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
        gateway, outbox = (_resource(host, name) for name in ("commerce.payments", "commerce.notifications"))
        gateway.simulator.late = pace.late
        yield Place(
            addresses=dict.fromkeys(CONTEXTS, address),
            stores=stores,
            broker=broker,
            gateway=gateway,
            mails=lambda: [{"to": to, "subject": letter.text.subject} for to, letter in outbox.sent],
        )
    finally:
        await host.stop()


def _resource(host: Host, context: str) -> Any:
    """Returns a context's first client of an external system."""
    return next(runner for runner in host.runners if runner.service.name == context).service.resources[0]


@asynccontextmanager
async def processes(
    environ: Mapping[str, str],
    logs: Path,
    *,
    pace: Pace | None = None,
    prefix: str = "",
    of_contexts: Mapping[str, str] | None = None,
) -> AsyncIterator[Place]:
    """Runs each context and each external system in its own process, with its output in a file in `logs`.

    Args:
        prefix: if given, it precedes the names of the databases, and these are dropped at the end.
        of_contexts: additional environment of the contexts.
    """
    logs.mkdir(parents=True, exist_ok=True)
    if prefix:
        environ = {**environ, "MONGODB_URI": environ["MONGODB_URI"].replace("/?", f"/{prefix}?")}
    pace, ports = pace or Pace(), Wiring.free()
    mails = logs / "mails.jsonl"
    mails.unlink(missing_ok=True)
    own = {**environ, **ports.environ(pace)}
    async with AsyncExitStack() as stack:
        databases = [f"{prefix}_{name.replace('.', '_')}" for name in CONTEXTS] if prefix else []
        await stack.enter_async_context(temporary(environ["MONGODB_URI"], databases))
        simulators = ports.simulators(pace, mails)
        pids = [await stack.enter_async_context(process(name, told, own, logs)) for name, told in simulators.items()]
        own |= of_contexts or {}
        pids += await asyncio.gather(
            *(stack.enter_async_context(_context(name, own, ports, logs)) for name in CONTEXTS)
        )
        client = connect(environ["MONGODB_URI"], "motor")
        stack.push_async_callback(close, client)
        broker = RabbitBroker(environ["AMQP_URL"], name="demo", ids=RandomIds())
        stack.push_async_callback(broker.close)
        gateway = await stack.enter_async_context(SocketGateway("127.0.0.1", ports.gateway, 5.0))
        yield Place(
            addresses=ports.addresses,
            stores={n: MongoStores(client, n, surroundings=Surroundings()) for n in CONTEXTS},
            broker=broker,
            gateway=gateway,
            mails=lambda: _mails(mails),
            pids=dict(zip([*simulators, *CONTEXTS], pids, strict=True)),
        )


def _context(name: str, environ: Mapping[str, str], ports: "Wiring", logs: Path) -> Any:
    own = {**environ, "GRPC_PORT": ports.addresses[name].rpartition(":")[2], "GRPC_HOST": "127.0.0.1"}
    if name in ports.webhooks:
        own |= {"HTTP_PORT": str(ports.webhooks[name]), "HTTP_HOST": "127.0.0.1"}
    return service(name, ["-m", "treaty.cli", "run", name], own, logs, ports.addresses[name])


@dataclass(frozen=True, slots=True)
class Wiring:
    """The ports and addresses of all processes."""

    addresses: Mapping[str, str]
    webhooks: Mapping[str, int]
    gateway: int
    carrier: int
    smtp: int
    sms: int

    @classmethod
    def free(cls) -> "Wiring":
        ports = free_ports(len(CONTEXTS) + len(_WITH_WEBHOOKS) + 4)
        addresses = {name: f"127.0.0.1:{ports.pop()}" for name in CONTEXTS}
        webhooks = {name: ports.pop() for name in _WITH_WEBHOOKS}
        return cls(addresses, webhooks, *ports)

    def environ(self, pace: Pace) -> Mapping[str, str]:
        """Returns the settings with the addresses of all contexts and external systems."""
        return {
            "TREATY_PEERS": ",".join(f"{name}={address}" for name, address in self.addresses.items()),
            "PAYMENTS_GATEWAY": f"127.0.0.1:{self.gateway}",
            "PAYMENTS_GATEWAY_SECONDS": str(pace.gateway),
            "SHIPPING_CARRIER": f"http://127.0.0.1:{self.carrier}",
            "NOTIFICATIONS_SMTP": f"127.0.0.1:{self.smtp}",
            "NOTIFICATIONS_SMS": f"http://127.0.0.1:{self.sms}",
            "NOTIFICATIONS_STAFF_EMAIL": _STAFF,
        }

    def simulators(self, pace: Pace, mails: Path) -> Mapping[str, Sequence[str]]:
        """Returns the arguments that start the simulator of each external system, by its name."""
        back = {name: f"http://127.0.0.1:{port}/webhooks" for name, port in self.webhooks.items()}
        return {
            "gateway": [
                *("-m", "services.commerce.payments.external.gateway.simulator", *_HERE, str(self.gateway)),
                *("--late", str(pace.late), "--callback", f"{back['commerce.payments']}/gateway"),
            ],
            "carrier": [
                *("-m", "services.commerce.shipping.external.carrier.simulator", *_HERE, str(self.carrier)),
                *("--pace", str(pace.carrier), "--callback", f"{back['commerce.shipping']}/carrier"),
            ],
            "mail": [
                *("-m", "services.commerce.notifications.external.simulator", *_HERE, str(self.smtp)),
                *("--sms-port", str(self.sms), "--mails", str(mails)),
            ],
        }


def _mails(file: Path) -> Sequence[Mapping[str, str]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def _service(name: str, stores: Stores) -> Service:
    ports = Ports(stores=stores, surroundings=Surroundings())
    return load_context(name)(ports)
