"""Contexts that run on memory adapters behind a real socket."""

from collections.abc import AsyncIterator

import pytest
from treaty.testing.world import embedded

from tests.services.clients import Shop


@pytest.fixture
async def ordering() -> AsyncIterator[Shop]:
    async with embedded("commerce.ordering") as world:
        yield Shop(world)


@pytest.fixture
async def inventory() -> AsyncIterator[Shop]:
    async with embedded("commerce.inventory") as world:
        yield Shop(world)
