"""The paths of an order whose stock is held for a very short time, on the real servers.

A module of its own: two shops on one broker would take each other's messages.
"""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scripts.lib.demo.places import processes
from tests.journeys.paths import IMPATIENT, PACE, ImpatientPaths
from tests.journeys.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def impatient(alone: dict[str, str], tmp_path: Path) -> AsyncIterator[Shop]:
    prefix = f"t{uuid.uuid4().hex[:10]}"
    async with processes({**os.environ, **alone, **IMPATIENT}, tmp_path, pace=PACE, prefix=prefix) as place:
        shop = Shop(place)
        yield shop
        await shop.close()


class TestImpatientPaths(ImpatientPaths):
    @pytest.fixture
    def shop(self, impatient: Shop) -> Shop:
        return impatient
