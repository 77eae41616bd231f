"""The paths of an order, in this process."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scripts.lib.demo.places import embedded
from tests.journeys.paths import IMPATIENT, PACE, SETTINGS, ImpatientPaths, Paths
from tests.journeys.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient() -> AsyncIterator[Shop]:
    async with embedded({}, pace=PACE, environ=SETTINGS) as place:
        shop = Shop(place)
        yield shop
        await shop.close()


class TestPaths(Paths):
    @pytest.fixture
    def shop(self, patient: Shop) -> Shop:
        patient.orders.clear()
        patient.received.clear()
        return patient


@pytest_asyncio.fixture(loop_scope="module")
async def impatient() -> AsyncIterator[Shop]:
    async with embedded({}, pace=PACE, environ=IMPATIENT) as place:
        shop = Shop(place)
        yield shop
        await shop.close()


class TestImpatientPaths(ImpatientPaths):
    @pytest.fixture
    def shop(self, impatient: Shop) -> Shop:
        return impatient
