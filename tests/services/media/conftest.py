"""Media contexts that run on memory adapters behind a real socket."""

from collections.abc import AsyncIterator

import pytest
from treaty.testing.world import embedded

from tests.services.media.agency import Agency


@pytest.fixture
async def agency() -> AsyncIterator[Agency]:
    """Licensing, with the license type "web" and the asset "sunset"."""
    async with embedded("media.licensing") as world:
        agency = Agency(world.channel)
        await agency.define()
        await agency.offer()
        yield agency
