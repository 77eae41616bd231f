"""Passwords that change while a process runs: their files are read at each connection."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from commerce.customers.v1 import customers_service_pb2 as customers
from commerce.customers.v1.customers_service_pb2_grpc import CustomersServiceStub
from commerce.notifications.v1 import notifications_service_pb2 as notifications
from commerce.notifications.v1.notifications_service_pb2_grpc import NotificationsServiceStub
from pydantic import SecretStr
from pymongo.errors import PyMongoError
from treaty.chance import RandomIds
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import BrokerAway, BrokerRefused, Topology
from treaty.mongo.driver import Driver, close, connect
from treaty.process.runner import Runner
from treaty.rabbit.broker import RabbitBroker
from treaty.rpc.client import channel, until_answered
from treaty.service.service import Service
from treaty.settings import read_again
from treaty.surroundings import Surroundings
from treaty.testing import while_moving
from treaty.testing.samples import bare_api

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service
from tests.real.guarded import GuardedMongoDB, GuardedRabbitMQ, guarded_mongodb, guarded_rabbitmq

TOPOLOGY = Topology(context="test.secrets", publishes=["test.Event"], subscribes={}, partitions=1)


@pytest.fixture
async def mongodb(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedMongoDB]:
    async with guarded_mongodb(tmp_path_factory.mktemp("mongodb"), "first") as server:
        yield server


@pytest.fixture
async def rabbitmq(servers: dict[str, str]) -> AsyncIterator[GuardedRabbitMQ]:
    with guarded_rabbitmq(servers["AMQP_URL"], "first") as user:
        yield user


def kept_in(file: Path) -> Any:
    """Returns the function that reads a secret from this file."""
    return read_again("SECRET", {"SECRET_FILE": str(file)}, SecretStr(""))


async def test_a_broker_reads_the_password_again_at_each_connection(rabbitmq: GuardedRabbitMQ, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(rabbitmq.with_password("first"))
    broker = RabbitBroker(kept_in(file), name="test", ids=RandomIds())
    await broker.declare(TOPOLOGY)
    rabbitmq.change_password("second")
    rabbitmq.close_connections()
    with pytest.raises(BrokerRefused, match="ACCESS_REFUSED"):
        await connected(broker)
    file.write_text(rabbitmq.with_password("second"))
    await broker.declare(TOPOLOGY)
    await broker.close()


async def connected(broker: RabbitBroker) -> None:
    """Declares the topology over a new connection; until the old one is seen to be closed, this fails otherwise."""
    while True:
        try:
            return await broker.declare(TOPOLOGY)
        except BrokerRefused:
            raise
        except BrokerAway:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("text", ["amqp://guest:guest@[::1", "amqp://guest:guest@127.0.0.1:port/", "no url at all"])
async def test_a_file_with_nonsense_is_a_broker_that_is_away(text: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    broker = RabbitBroker(kept_in(file), name="test", ids=RandomIds(), timeout=1.0)
    with pytest.raises(BrokerAway):
        await broker.declare(TOPOLOGY)
    await broker.close()


@pytest.mark.parametrize("names", ["", "none"], ids=["virtual host", "names"])
async def test_a_process_without_permission_is_refused_and_not_only_away(rabbitmq: GuardedRabbitMQ, names: str) -> None:
    rabbitmq.allow(names) if names else rabbitmq.shut_out()
    broker = RabbitBroker(rabbitmq.with_password("first"), name="test", ids=RandomIds())
    with pytest.raises(BrokerRefused):
        await broker.declare(TOPOLOGY)
    await broker.close()


@pytest.mark.slow
async def test_a_process_that_the_broker_refuses_for_long_is_not_ready_until_it_is_let_in(
    rabbitmq: GuardedRabbitMQ, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(rabbitmq.with_password("first"))
    read, tries = kept_in(file), count()

    def url() -> str:
        next(tries)
        return str(read())

    runner = Runner(
        service=Service(name="test.secrets", api=bare_api("test.secrets.v1.Secrets")),
        stores=MemoryStores(Surroundings()),
        broker=RabbitBroker(url, name="test", ids=RandomIds()),
        surroundings=Surroundings(),
        verify_seconds=0.05,
        refused_seconds=0.5,
    )
    await runner.start()

    async def obstacle() -> str:
        try:
            await runner.check()
        except RuntimeError as error:
            return str(error)
        return ""

    async def works() -> bool:
        return not await obstacle()

    async def is_refused() -> bool:
        return "the broker refuses this process" in await obstacle()

    def progress() -> str:
        return repr(tries)

    await while_moving(works, progress)
    rabbitmq.change_password("second")
    rabbitmq.close_connections()
    await while_moving(is_refused, progress)
    file.write_text(rabbitmq.with_password("second"))
    await while_moving(works, progress)
    await runner.stop()
    await runner.broker.close()  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_client_of_mongodb_reads_the_password_again_at_each_connection(
    mongodb: GuardedMongoDB, driver: Driver, tmp_path: Path
) -> None:
    file = tmp_path / "uri"
    file.write_text(mongodb.uri("first"))
    client = connect(kept_in(file), driver)
    things = client.get_database("test").get_collection("things")
    await things.insert_one({"_id": 1})
    mongodb.change_password("first", "second")
    await mongodb.stop()
    await mongodb.start()
    with pytest.raises(PyMongoError, match="Authentication failed"):
        await until_answered_by(things)
    file.write_text(mongodb.uri("second"))
    refusals = count()

    async def is_let_in() -> bool:  # the driver looks at a server that refused it again after up to 10 s
        try:
            return bool(await things.count_documents({}))
        except PyMongoError:
            next(refusals)
            return False

    await while_moving(is_let_in, lambda: repr(refusals))
    await close(client)


async def until_answered_by(things: Any) -> None:
    """Reads; repeats this while the connections from before are seen to be closed."""
    while True:
        try:
            await things.count_documents({})
            return
        except PyMongoError as error:
            if "Authentication failed" in str(error):
                raise


@dataclass(slots=True)
class Desk:
    """Customers and Notifications as one process, and a client of it."""

    channel: Any

    async def register(self) -> str:
        request = customers.RegisterCustomerRequest(
            request_id=str(uuid.uuid4()), customer_id=uuid.uuid4().hex, name="Ann", email="ann@example.com"
        )
        stub = CustomersServiceStub(self.channel)
        await until_answered(lambda: stub.RegisterCustomer(request, timeout=5), attempts=200)
        return request.customer_id

    async def is_notified(self, customer_id: str) -> bool:
        """Whether the event of a customer's registration came to the other context, over the broker."""
        stub = NotificationsServiceStub(self.channel)
        request = notifications.ListNotificationsRequest(customer_id=customer_id)
        found = await until_answered(lambda: stub.ListNotifications(request, timeout=5), attempts=200)
        return bool(found.notifications)


@pytest.mark.slow
async def test_a_running_process_goes_on_after_both_passwords_have_changed(
    mongodb: GuardedMongoDB, rabbitmq: GuardedRabbitMQ, tmp_path: Path
) -> None:
    uri, url = tmp_path / "mongodb-uri", tmp_path / "amqp-url"
    uri.write_text(mongodb.uri("first"))
    url.write_text(rabbitmq.with_password("first"))
    [port] = free_ports(1)
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("MONGODB_URI", "AMQP_URL")},
        "MONGODB_URI_FILE": str(uri),
        "AMQP_URL_FILE": str(url),
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(port),
        "TREATY_LEASE_SECONDS": "2",
    }
    run = ["-m", "treaty.cli", "run", "commerce.customers", "commerce.notifications"]
    async with service("desk", run, environ, tmp_path, f"127.0.0.1:{port}"):
        desk = Desk(channel(f"127.0.0.1:{port}"))
        for before, secret in (("first", "second"), ("second", "third")):
            await while_moving(partial(desk.is_notified, await desk.register()), log_of(tmp_path))
            mongodb.change_password(before, secret)
            rabbitmq.change_password(secret)
            uri.write_text(mongodb.uri(secret))
            url.write_text(rabbitmq.with_password(secret))
            rabbitmq.close_connections()
            await mongodb.stop()
            await mongodb.start()
        await while_moving(partial(desk.is_notified, await desk.register()), log_of(tmp_path))
        await desk.channel.close()


def log_of(folder: Path) -> Any:
    """Returns a function whose value changes while the process says something."""
    return lambda: (folder / "desk.log").stat().st_size
