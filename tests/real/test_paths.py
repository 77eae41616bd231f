"""The paths of an order, through seven processes on the real servers."""

import os
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scripts.lib.demo.places import processes
from tests.journeys.paths import PACE, SETTINGS, Paths
from tests.journeys.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with processes(
        {**os.environ, **alone, **SETTINGS},
        tmp_path_factory.mktemp("paths"),
        pace=PACE,
        prefix=f"t{uuid.uuid4().hex[:10]}",
    ) as place:
        shop = Shop(place)
        yield shop
        await shop.close()


class TestPaths(Paths):
    @pytest.fixture
    def shop(self, patient: Shop) -> Shop:
        patient.orders.clear()
        patient.received.clear()
        return patient
