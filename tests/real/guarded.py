"""A MongoDB and a user of RabbitMQ that ask for a password, which can be changed; both end with the block."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import MongoClient
from treaty.testing import eventually

from scripts.lib import dev
from scripts.lib.dev.mongodb import REPLICA_SET, program
from scripts.lib.dev.ports import HOST, free_ports
from scripts.lib.dev.wire import command
from scripts.lib.processes import end, start

USER = "treaty"


@dataclass(slots=True)
class GuardedMongoDB:
    """A replica set with one member, in a folder of its own."""

    folder: Path
    port: int
    _running: asyncio.subprocess.Process | None = None

    def uri(self, password: str) -> str:
        return f"mongodb://{USER}:{password}@{HOST}:{self.port}/?replicaSet={REPLICA_SET}&authSource=admin"

    async def start(self) -> None:
        key = self.folder / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(uuid.uuid4().hex)
        options = ["--auth", "--keyFile", str(key), "--replSet", REPLICA_SET, "--nounixsocket", "--bind_ip", HOST]
        files = ["--dbpath", str(self.folder), "--logpath", str(self.folder / "log"), "--port", str(self.port)]
        self._running = await start([str(program()), *options, *files], os.environ, self.folder / "output")
        await eventually(self._is_primary, within=60)

    def _is_primary(self) -> bool:
        try:
            if command(self.port, {"hello": 1}).get("isreplicaset"):
                members = [{"_id": 0, "host": f"{HOST}:{self.port}"}]
                command(self.port, {"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
            return bool(command(self.port, {"hello": 1}).get("isWritablePrimary"))
        except OSError:
            return False

    async def stop(self) -> None:
        """Ends the server; this closes all connections to it."""
        if self._running is not None:
            await end(self._running)

    def add_user(self, password: str) -> None:
        """Adds the first user, which a client on the same host may do without one."""
        with _direct(f"mongodb://{HOST}:{self.port}") as admin:
            admin.command("createUser", USER, pwd=password, roles=["root"])

    def change_password(self, before: str, now: str) -> None:
        with _direct(self.uri(before)) as admin:
            admin.command("updateUser", USER, pwd=now)


@contextmanager
def _direct(uri: str) -> Iterator[Any]:
    client: MongoClient[dict[str, Any]] = MongoClient(
        uri.replace(f"replicaSet={REPLICA_SET}&", ""), directConnection=True
    )
    try:
        yield client.admin
    finally:
        client.close()


@asynccontextmanager
async def guarded_mongodb(folder: Path, password: str) -> AsyncIterator[GuardedMongoDB]:
    """Runs a MongoDB in an empty folder, whose only user has this password."""
    server = GuardedMongoDB(folder, free_ports(1)[0])
    try:
        await server.start()
        server.add_user(password)
        yield server
    finally:
        await server.stop()


@dataclass(frozen=True, slots=True)
class GuardedRabbitMQ:
    """A user of the broker with every permission on one virtual host."""

    url: str
    user: str

    def with_password(self, password: str) -> str:
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{self.user}:{password}@{parts.netloc.rpartition('@')[2]}"))

    def change_password(self, now: str) -> None:
        dev.rabbitmqctl("change_password", self.user, now)

    def close_connections(self) -> None:
        dev.rabbitmqctl("close_all_user_connections", self.user, "the password was changed")

    def allow(self, names: str) -> None:
        """Lets the user configure, write and read the queues and exchanges that match a pattern."""
        dev.rabbitmqctl("set_permissions", "-p", self._virtual_host, self.user, names, names, names)

    def shut_out(self) -> None:
        dev.rabbitmqctl("clear_permissions", "-p", self._virtual_host, self.user)

    @property
    def _virtual_host(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")


@contextmanager
def guarded_rabbitmq(url: str, password: str) -> Iterator[GuardedRabbitMQ]:
    """Adds a user with this password to the broker, who may do everything on the virtual host of the URL."""
    guarded = GuardedRabbitMQ(url, f"user-{uuid.uuid4().hex[:8]}")
    dev.rabbitmqctl("add_user", guarded.user, password)
    try:
        guarded.allow(".*")
        yield guarded
    finally:
        dev.rabbitmqctl("delete_user", guarded.user)
