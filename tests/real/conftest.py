"""The real MongoDB and RabbitMQ, with databases and a virtual host of the tests' own."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from scripts import devservers
from scripts.lib.databases import temporary

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the servers."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.infra)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """MONGODB_URI and AMQP_URL; the second names a virtual host of its own where the broker is this checkout's."""
    with devservers.borrow() as uris, _virtual_host(dict(uris)) as own:
        yield own


@pytest.fixture(scope="module")
def alone(servers: dict[str, str]) -> Iterator[dict[str, str]]:
    """The servers, with a virtual host where no message of another module's contexts waits."""
    with _virtual_host(servers) as own:
        yield own


@contextmanager
def _virtual_host(uris: dict[str, str]) -> Iterator[dict[str, str]]:
    if os.environ.get("AMQP_URL") and not devservers.env_file().exists():
        yield uris
        return
    name = f"test-{uuid.uuid4().hex[:12]}"
    devservers.rabbitmqctl("add_vhost", name)
    try:
        devservers.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield {**uris, "AMQP_URL": _in_vhost(uris["AMQP_URL"], name)}
    finally:
        devservers.rabbitmqctl("delete_vhost", name)


def _in_vhost(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture
async def context(servers: dict[str, str]) -> AsyncIterator[str]:
    """The name of a context that nobody used before; its database is dropped at the end."""
    name = f"test.{uuid.uuid4().hex[:12]}"
    async with temporary(servers["MONGODB_URI"], [name.replace(".", "_")]):
        yield name
