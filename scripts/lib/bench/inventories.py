"""The servers that `scripts/bench commands` compares: Inventory, in one process and in two, and its rivals."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
from treaty.commits.log import Place
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings

from scripts.lib.bench.checkouts import environ_of
from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service
from scripts.lib.virtual_hosts import virtual_host

_CONTEXT = "commerce.inventory"
_RUN = ("-m", "treaty.cli", "run", _CONTEXT)
_RIVALS = {kind: ("-m", "scripts.lib.bench.rivals", kind) for kind in ("echo", "textbook")}
_DRAINED_WITHIN = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: its address, the ids of its processes, and its stores unless it is a rival."""

    target: str
    pids: Mapping[str, int]
    stores: MongoStores | None = None


async def start(
    environ: Mapping[str, str], logs: Path, run: str, stack: AsyncExitStack, *, before: Path | None
) -> Mapping[str, Server]:
    """Starts Inventory in one process and in two, the rivals, and Inventory of the other checkout.

    Each has databases and a virtual host of its own.
    """
    code = {"treaty": dict(environ), "roles": dict(environ), "echo": dict(environ), "textbook": dict(environ)}
    if before is not None:
        code["before"] = environ_of(before, environ)
    await stack.enter_async_context(temporary(environ["MONGODB_URI"], [database_of(run, kind) for kind in code]))
    servers = {}
    for kind, own in code.items():
        port, other = free_ports(2)
        own |= stack.enter_context(virtual_host(own))
        await stack.enter_async_context(_subscriber(own["AMQP_URL"]))
        own |= {"GRPC_HOST": "127.0.0.1", "LOG_LEVEL": "warning", "MONGODB_URI": _uri(environ, run, kind)}
        name, pids = f"bench-{kind}", {}
        if kind == "roles":
            followers = {**own, "TREATY_ROLE": "followers", "GRPC_PORT": str(other)}
            running = service(f"{name}-followers", _RUN, followers, logs, f"127.0.0.1:{other}")
            pids["followers"] = await stack.enter_async_context(running)
            own["TREATY_ROLE"] = "api"
        target = f"127.0.0.1:{port}"
        running = service(name, _RIVALS.get(kind, _RUN), {**own, "GRPC_PORT": str(port)}, logs, target)
        pids["server"] = await stack.enter_async_context(running)
        stores = None
        if kind not in _RIVALS:
            own_client = connect(_uri(environ, run, kind), "motor")
            stack.push_async_callback(close, own_client)
            stores = MongoStores(own_client, _CONTEXT, surroundings=Surroundings())
        servers[kind] = Server(target=target, pids=pids, stores=stores)
    return servers


def _uri(environ: Mapping[str, str], run: str, kind: str) -> str:
    return environ["MONGODB_URI"].replace("/?", f"/bench_{run}_{kind}?")


def database_of(run: str, kind: str) -> str:
    """Returns the name of the database of a server."""
    context = "bench.textbook" if kind == "textbook" else _CONTEXT
    return f"bench_{run}_{kind}_{context.replace('.', '_')}"


@asynccontextmanager
async def _subscriber(url: str) -> AsyncIterator[None]:
    """Binds a queue to the exchanges of the servers, so that every event is routed; it keeps the last thousand."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True, arguments={"x-max-length": 1000})
    for name in (f"{_CONTEXT}.events", "bench.textbook.events"):
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, routing_key="#")
    try:
        yield
    finally:
        await connection.close()


async def left(server: Server) -> int:
    """Returns how many commits the follower that is the furthest behind has not done yet."""
    if server.stores is None:
        return 0
    places = await server.stores.checkpoints.load()
    names = [name for name in places if name in ("relay", "calls") or name.startswith("projection ")]
    return max([(await server.stores.log.behind(places.get(name, Place()))).commits for name in names], default=0)


async def drained(server: Server) -> None:
    """Waits until the followers have done everything."""
    async with asyncio.timeout(_DRAINED_WITHIN):
        while await left(server):
            await asyncio.sleep(0.1)


async def count(uri: str, name: str, prefix: str) -> dict[str, int]:
    """Counts the run's commits in a database, the commands in them, and their integration events."""
    client = connect(uri, "motor")
    found = {"commits": 0, "commands": 0, "events": 0}
    within = {"_id": {"$gte": f"stock-main/{prefix}", "$lt": f"stock-main/{prefix}~"}}
    async for commit in client[name]["commits"].find(within, {"causes.id": 1, "outbox.type": 1}):
        received = sum(cause["id"].startswith("ReceiveStock/") for cause in commit["causes"])
        found["commits"] += bool(received)
        found["commands"] += received
        found["events"] += len(commit["outbox"])
    await close(client)
    return found
