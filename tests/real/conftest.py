"""The real MongoDB and RabbitMQ, with databases and a virtual host of the tests' own."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.virtual_hosts import virtual_host


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """MONGODB_URI and AMQP_URL; the second names a virtual host of its own where the broker is this checkout's."""
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        yield own


@pytest.fixture(scope="module")
def alone(servers: dict[str, str]) -> Iterator[dict[str, str]]:
    """The servers, with a virtual host where no message of another module's contexts waits."""
    with virtual_host(servers) as own:
        yield own


@pytest.fixture
async def context(servers: dict[str, str]) -> AsyncIterator[str]:
    """The name of a context that nobody used before; its database is dropped at the end."""
    name = f"test.{uuid.uuid4().hex[:12]}"
    async with temporary(servers["MONGODB_URI"], [name.replace(".", "_")]):
        yield name
