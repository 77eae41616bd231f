"""The ways of a license, through three processes on the real servers, and read models that are rebuilt after them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from treaty.chance import RandomIds
from treaty.rpc.client import until_answered
from treaty.testing import eventually
from treaty.testing.clients import refusal

from tests.journeys.pictures import CONTEXTS, SETTINGS, Gallery, Journeys
from tests.real.newsroom import Newsroom, newsroom
from tests.services.media.agency import Agency, usage
from tests.services.media.studio import Studio
from tests.services.media.team import Team

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Newsroom]:
    async with newsroom(alone, tmp_path_factory.mktemp("pictures"), CONTEXTS, **SETTINGS) as running:
        yield running


@pytest.fixture
def gallery(room: Newsroom) -> Gallery:
    assets, licensing, compliance = (room.channel(name) for name in CONTEXTS)
    return Gallery(
        Studio(assets, RandomIds()), Agency(licensing, RandomIds()), Team(compliance, RandomIds()), eventually
    )


class TestJourneys(Journeys):
    pass


async def test_a_case_is_opened_once_although_compliance_was_killed_while_violations_came(
    room: Newsroom, gallery: Gallery
) -> None:
    license = await gallery.buy(await gallery.sale(allowed=10))
    for n in range(20):
        await gallery.agency.report(license.license_id, usage(f"u-{n}", 2))
        if n == 10:
            await room.kill("media.compliance")
    assert (await refusal(gallery.team.case(license.license_id))).code.name == "UNAVAILABLE"
    await room.start("media.compliance")
    await until_answered(gallery.team.alerts)
    case = await gallery.case(license.license_id, 30)
    assert len(case.findings) == 15
    assert len(await gallery.team.alerts(work_id=license.asset_id)) == 1


async def test_read_models_that_are_rebuilt_equal_the_lived_ones(room: Newsroom) -> None:
    equal = await room.rebuilt()
    assert set(equal.values()) == {True}, equal
    assert "media.compliance/alerts" in equal
