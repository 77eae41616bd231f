"""Contexts of finance as processes on the real servers, in databases of their own; each process can be killed."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treaty.commits.commit import Commit
from treaty.mongo.driver import close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.operations.audit import history
from treaty.rpc.client import channel
from treaty.surroundings import Surroundings

from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service


@dataclass(slots=True)
class House:
    """Processes, each of one context; a context may have several. `ports` has the port of each process."""

    environ: Mapping[str, str]
    logs: Path
    ports: Mapping[str, int]
    contexts: Mapping[str, str]
    client: Any
    stores: Mapping[str, MongoStores]
    _running: dict[str, AsyncExitStack] = field(default_factory=dict)
    _pids: dict[str, int] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        stack = self._running[name] = AsyncExitStack()
        own = {**self.environ, "GRPC_PORT": str(self.ports[name])}
        arguments = ["-m", "treaty.cli", "run", self.contexts[name]]
        run = service(name, arguments, own, self.logs, f"127.0.0.1:{self.ports[name]}")
        self._pids[name] = await stack.enter_async_context(run)

    async def kill(self, name: str) -> None:
        """Ends a process as a power cut would."""
        os.kill(self._pids[name], signal.SIGKILL)
        await self._running.pop(name).aclose()

    async def stop(self) -> None:
        for opened in self._channels.values():
            await opened.close()
        for stack in self._running.values():
            await stack.aclose()

    def channel(self, name: str) -> Any:
        if name not in self._channels:
            self._channels[name] = channel(f"127.0.0.1:{self.ports[name]}")
        return self._channels[name]

    async def commits(self, context: str) -> Sequence[Commit]:
        """Returns all commits of a context, in the order of the log."""
        return [commit async for commit in history(self.stores[context].log)]

    async def count(self, context: str) -> int:
        """Returns the number of commits of a context."""
        return int(await database(self.client, context).get_collection("commits").count_documents({}))


@asynccontextmanager
async def house(
    servers: Mapping[str, str], logs: Path, contexts: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> AsyncIterator[House]:
    """Runs processes until the block ends.

    Args:
        contexts: by the name of a process, the context that it runs.
    """
    name = f"t{uuid.uuid4().hex[:10]}"
    uri = servers["MONGODB_URI"].replace("/?", f"/{name}?")
    ports = dict(zip(contexts, free_ports(len(contexts)), strict=True))
    environ = {
        **os.environ,
        "MONGODB_URI": uri,
        "AMQP_URL": servers["AMQP_URL"],
        "TREATY_LEASE_SECONDS": "2",
        "TREATY_PEERS": ",".join(f"{contexts[one]}=127.0.0.1:{port}" for one, port in ports.items()),
        "LOG_LEVEL": "warning",
        "GRPC_HOST": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        **(settings or {}),
    }
    client = connect(uri, "motor")
    own = sorted(set(contexts.values()))
    stores = {context: MongoStores(client, context, surroundings=Surroundings()) for context in own}
    running = House(environ, logs, ports, contexts, client, stores)
    async with AsyncExitStack() as stack:
        databases = [f"{name}_{context.replace('.', '_')}" for context in own]
        await stack.enter_async_context(temporary(servers["MONGODB_URI"], databases))
        stack.push_async_callback(close, client)
        stack.push_async_callback(running.stop)
        await asyncio.gather(*(running.start(one) for one in contexts))
        yield running
