"""The ways of a license, in this process."""

from collections.abc import AsyncIterator

import pytest
from treaty.chance import RandomIds
from treaty.testing import eventually
from treaty.testing.world import embedded

from tests.journeys.pictures import CONTEXTS, SETTINGS, Gallery, Journeys
from tests.services.media.agency import Agency
from tests.services.media.studio import Studio
from tests.services.media.team import Team

pytestmark = pytest.mark.slow


class TestJourneys(Journeys):
    @pytest.fixture
    async def gallery(self) -> AsyncIterator[Gallery]:
        async with embedded(*CONTEXTS, environ=SETTINGS) as world:
            channel, ids = world.channel, RandomIds()
            yield Gallery(Studio(channel, ids), Agency(channel, ids), Team(channel, ids), eventually)
