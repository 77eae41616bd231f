"""Works are recognised by the hashes of a picture."""

from typing import Any

import grpc
import pytest
from media.assets.v1 import assets_events_pb2 as assets
from treaty.messaging.broker import exchange_of
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import World

from services.media.compliance.acl import asset_ready
from tests.services.clients import told
from tests.services.media.team import Team

SUNSET, HARBOUR = "0f1e2d3c4b5a6978", "f0e1d2c3b4a59687"
CONTENT = "ab" * 32


def near(hash: str, bits: int) -> str:
    """Returns a hash that differs in so many bits."""
    return f"{int(hash, 16) ^ (1 << bits) - 1:016x}"


@pytest.fixture
async def works(world: World) -> Team:
    """Two works that Compliance has heard of, and one without contours."""
    known = {"sunset": (SUNSET, CONTENT), "harbour": (HARBOUR, "cd" * 32), "fog": ("", "ef" * 32)}
    for work_id, (dhash, content) in known.items():
        event = assets.AssetReadyForSearch(asset_id=work_id, dhash=dhash, sha256=content)
        await world.broker.publish(exchange_of("media.assets"), told(work_id, event, world.ids.new()))
    await eventually(world.is_settled)
    return Team(world.channel)


async def test_a_sighting_is_of_the_work_with_the_same_content_or_a_near_hash(works: Team) -> None:
    pictures: list[dict[str, Any]] = [
        {"sha256": CONTENT},
        {"dhashes": [SUNSET]},
        {"dhashes": ["0" * 16, near(SUNSET, 4)]},
    ]
    for picture in pictures:
        sighted = await works.sight(work_id="", **picture)
        assert sighted.sighting.work_id == "sunset", picture
        assert (await works.case(sighted.sighting.case_id)).work_id == "sunset"


async def test_a_picture_that_may_be_a_work_is_left_to_a_person(works: Team) -> None:
    refused = await refusal(works.sight(work_id="", dhashes=[near(SUNSET, 7)]))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WORK_UNCERTAIN")
    assert "sunset" in refused.message
    assert not await works.alerts()


@pytest.mark.parametrize("picture", [{"sha256": "00" * 32}, {"dhashes": [near(SUNSET, 30)]}])
async def test_a_picture_of_no_work_is_not_found(works: Team, picture: dict[str, Any]) -> None:
    refused = await refusal(works.sight(work_id="", **picture))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN")


async def test_a_sighting_of_nothing_is_refused(works: Team) -> None:
    assert (await refusal(works.sight(work_id=""))).code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_hash_in_another_form_is_left_out() -> None:
    event = assets.AssetReadyForSearch(asset_id="a", dhash="v2:" + SUNSET, sha256=CONTENT)
    assert asset_ready(event).dhash == ""
