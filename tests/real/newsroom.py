"""The media contexts as processes on the real servers, several of each if a test asks for them."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treaty.chance import RandomIds
from treaty.commits.log import Place
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.backlog import Backlog, backlog
from treaty.operations.rebuild import rebuild
from treaty.rabbit.broker import RabbitBroker
from treaty.rpc.client import channel
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing import while_moving

from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service

PARTITIONS = 4


@dataclass(slots=True)
class Newsroom:
    """The processes, by name: `media.licensing`, and `media.licensing 2` for the second one of a context."""

    environ: Mapping[str, str]
    logs: Path
    ports: Mapping[str, int]
    stores: Mapping[str, MongoStores]
    broker: RabbitBroker
    _running: dict[str, AsyncExitStack] = field(default_factory=dict)
    _pids: dict[str, int] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        stack = self._running[name] = AsyncExitStack()
        own = {**self.environ, "GRPC_PORT": str(self.ports[name]), "GRPC_HOST": "127.0.0.1"}
        arguments = ["-m", "treaty.cli", "run", name.partition(" ")[0]]
        run = service(name, arguments, own, self.logs, f"127.0.0.1:{self.ports[name]}")
        self._pids[name] = await stack.enter_async_context(run)

    async def kill(self, name: str) -> None:
        """Ends a process as a power cut would."""
        os.kill(self._pids[name], signal.SIGKILL)
        await self._running.pop(name).aclose()

    async def stop(self) -> None:
        for open_channel in self._channels.values():
            await open_channel.close()
        for stack in self._running.values():
            await stack.aclose()

    def channel(self, name: str) -> Any:
        if name not in self._channels:
            self._channels[name] = channel(f"127.0.0.1:{self.ports[name]}")
        return self._channels[name]

    async def settled(self) -> None:
        """Waits until nothing is left to do anywhere but timers."""
        await self.eventually(self._is_idle)

    async def eventually(self, condition: Callable[[], Any]) -> Any:
        """Returns the first true value of a condition, and waits for it as long as the contexts make progress.

        A relay that took over waits 30 s for the binding of an event if the one before it may have had one.
        """
        return await while_moving(condition, self._progress, still=60.0)

    async def rebuilt(self) -> Mapping[str, bool | None]:
        """Rebuilds each read model; returns, by name, whether the new one equals the lived one."""
        equal = {}
        for name, stores in self.stores.items():
            for model in self._service(name).read_models:
                result = await rebuild(model, stores, owner=uuid.uuid4().hex, verify=True)
                equal[f"{name}/{model.name}"] = result.equal
        return equal

    def _service(self, name: str) -> Service:
        return load_context(name)(Ports(stores=self.stores[name], surroundings=Surroundings()))

    async def _progress(self) -> object:
        commits = {name: (await stores.log.behind(Place())).commits for name, stores in self.stores.items()}
        return commits, {name: await self._backlog(name) for name in self.stores}

    async def _is_idle(self) -> bool:
        for _ in range(3):
            if not all([(await self._backlog(name)).empty for name in self.stores]):
                return False
            await asyncio.sleep(0.2)
        return True

    async def _backlog(self, name: str) -> Backlog:
        return await backlog(self._service(name), self.stores[name], self.broker, PARTITIONS)


@asynccontextmanager
async def newsroom(
    servers: Mapping[str, str], logs: Path, names: Sequence[str], **settings: str
) -> AsyncIterator[Newsroom]:
    """Runs processes with these names in databases of their own, with some settings besides the usual ones."""
    database = f"t{uuid.uuid4().hex[:10]}"
    uri = servers["MONGODB_URI"].replace("/?", f"/{database}?")
    environ = {
        **os.environ,
        "MONGODB_URI": uri,
        "AMQP_URL": servers["AMQP_URL"],
        "TREATY_LEASE_SECONDS": "2",
        "LOG_LEVEL": "warning",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        **settings,
    }
    contexts = sorted({name.partition(" ")[0] for name in names})
    client = connect(uri, "motor")
    broker = RabbitBroker(servers["AMQP_URL"], name="newsroom", ids=RandomIds())
    stores = {context: MongoStores(client, context, surroundings=Surroundings()) for context in contexts}
    room = Newsroom(environ, logs, dict(zip(names, free_ports(len(names)), strict=True)), stores, broker)
    async with AsyncExitStack() as stack:
        databases = [f"{database}_{context.replace('.', '_')}" for context in contexts]
        await stack.enter_async_context(temporary(servers["MONGODB_URI"], databases))
        stack.push_async_callback(close, client)
        stack.push_async_callback(broker.close)
        stack.push_async_callback(room.stop)
        await asyncio.gather(*(room.start(name) for name in names))
        yield room
