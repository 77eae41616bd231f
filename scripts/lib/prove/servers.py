"""The servers of a proof: a replica set of three members and a broker, in a separate folder, on loopback ports."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.lib.dev import mongodb, processes
from scripts.lib.dev.ports import HOST, free_ports
from scripts.lib.dev.rabbitmq import RabbitMQ
from scripts.lib.dev.server import Failed
from scripts.lib.dev.wire import command
from scripts.lib.processes import start

SET = "proof"
ELECTION_SECONDS = 2.0

_ALREADY_INITIALIZED = 23
_PATIENCE = 300.0
"""Seconds in which a member that was started again takes part again, on a machine that is busy with other things."""


@dataclass(eq=False, slots=True)
class Member:
    """One mongod. It keeps its data when it is killed."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        options = [
            *("--replSet", SET, "--bind_ip", HOST, "--port", str(self.port), "--nounixsocket"),
            *("--wiredTigerCacheSizeGB", "0.4", "--oplogSize", "990", "--dbpath", str(self.folder / "data")),
            *("--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        environ = {**processes.surroundings(), "HOME": str(self.folder)}
        self.process = await start([str(mongodb.program()), *options], environ, self.folder / "mongod.log")

    async def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a command to this member only. Raises OSError if it does not answer."""
        return command(self.port, body)


@dataclass(slots=True)
class Servers:
    """Three members and a broker. `stopped` has the ports of members that are stopped with SIGSTOP."""

    members: list[Member]
    rabbit: RabbitMQ
    stopped: set[int] = field(default_factory=set)

    @property
    def mongodb_uri(self) -> str:
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={SET}"

    @property
    def amqp_port(self) -> int:
        port = self.rabbit.port()
        assert port is not None
        return port

    async def primary(self) -> Member:
        """Waits until one member is primary, and returns it."""
        while True:
            for member in self.members:
                if await asyncio.to_thread(self._is_primary, member):
                    return member
            await asyncio.sleep(0.1)

    def _is_primary(self, member: Member) -> bool:
        if member.process is None or member.process.returncode is not None or member.port in self.stopped:
            return False
        try:
            return bool(member.ask({"hello": 1}).get("isWritablePrimary"))
        except OSError:
            return False

    async def whole(self) -> None:
        """Waits until every member is primary or follows the primary; one that was killed needs a while to come back.

        Raises:
            Failed: if a member does not come back.
        """
        deadline = time.monotonic() + _PATIENCE
        for member in self.members:
            while not await asyncio.to_thread(self._takes_part, member):
                if time.monotonic() > deadline:
                    raise Failed(f"a member does not come back; see {member.folder}/mongod.log")
                await asyncio.sleep(0.1)

    def _takes_part(self, member: Member) -> bool:
        try:
            said = member.ask({"hello": 1})
        except OSError:
            return False
        return bool(said.get("isWritablePrimary") or said.get("secondary"))

    async def secondaries(self) -> list[Member]:
        primary = await self.primary()
        return [member for member in self.members if member is not primary]

    async def ctl(self, *arguments: str) -> str:
        return await asyncio.to_thread(self.rabbit.ctl, *arguments)

    @asynccontextmanager
    async def virtual_host(self, name: str) -> AsyncIterator[str]:
        """Yields the address of a new virtual host; it is deleted after the block, with all messages that are left."""
        await self.ctl("add_vhost", name)
        await self.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        try:
            yield f"amqp://guest:guest@{HOST}:{self.amqp_port}/{name}"
        finally:
            await self.ctl("delete_vhost", name)

    async def broker_ready(self) -> None:
        while not await asyncio.to_thread(self.rabbit.ready):
            await asyncio.sleep(0.1)


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Servers]:
    """Runs the servers inside the block, in a folder that is empty at first and removed at the end."""
    folder = folder.resolve()
    rabbit = RabbitMQ(folder / "rabbitmq")
    await asyncio.to_thread(processes.kill, rabbit.folder)
    shutil.rmtree(folder, ignore_errors=True)
    rabbit.folder.mkdir(parents=True)
    mongodb.MongoDB(folder).prepare()
    members = [Member(folder / f"mongodb-{n}", port) for n, port in enumerate(free_ports(3))]
    found = Servers(members, rabbit)
    try:
        rabbit.prepare()
        rabbit.start()
        await asyncio.gather(*(member.start() for member in members))
        await _initiate(found)
        async with asyncio.timeout(120):
            await found.primary()
            await found.broker_ready()
        yield found
    finally:
        for member in members:
            await member.kill()
        await asyncio.to_thread(rabbit.kill)
        if not os.environ.get("TREATY_KEEP_PROOF"):
            shutil.rmtree(folder, ignore_errors=True)


async def _initiate(found: Servers) -> None:
    """Configures the members as a replica set with a short election timeout."""
    config = {
        "_id": SET,
        "members": [{"_id": n, "host": member.address} for n, member in enumerate(found.members)],
        "settings": {"electionTimeoutMillis": int(1000 * ELECTION_SECONDS), "heartbeatIntervalMillis": 500},
    }
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await asyncio.to_thread(found.members[0].ask, {"replSetInitiate": config})
            except OSError:
                answer = {}
            if answer.get("ok") or answer.get("code") == _ALREADY_INITIALIZED:
                return
            await asyncio.sleep(0.2)
