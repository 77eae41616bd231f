"""Media contexts that run on memory adapters behind a real socket."""

from collections.abc import AsyncIterator

import pytest
from treaty.testing.world import SeededIds, World, embedded

from tests.services.media.agency import Agency
from tests.services.media.team import Team


@pytest.fixture
async def agency() -> AsyncIterator[Agency]:
    """Licensing, with the license type "web" and the asset "sunset"."""
    async with embedded("media.licensing") as world:
        agency = Agency(world.channel, broker=world.broker)
        await agency.define()
        await agency.offer()
        yield agency


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Licensing and Compliance, with short deadlines for cases of low severity."""
    environ = {"COMPLIANCE_LOW_SECONDS": "0.4"}
    async with embedded("media.licensing", "media.compliance", environ=environ) as running:
        agency = Agency(running.channel, broker=running.broker)
        await agency.define()
        await agency.offer()
        yield running


@pytest.fixture
def team(world: World) -> Team:
    return Team(world.channel)


@pytest.fixture
def buyers(world: World) -> Agency:
    return Agency(world.channel, SeededIds("buyers"), world.broker)
