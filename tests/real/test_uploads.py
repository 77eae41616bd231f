"""The ways of a picture, through a process on the real servers; a worker and the process are killed in the middle."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from media.assets.v1 import assets_service_pb2 as pb
from treaty.chance import RandomIds
from treaty.contents import NoContent
from treaty.rpc.client import until_answered

from scripts.lib.pictures import jpeg
from tests.journeys.uploads import CONTEXT, SETTINGS, Desk, Journeys
from tests.real.newsroom import Newsroom, newsroom
from tests.services.media.studio import Studio

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Newsroom]:
    swept = {"ASSETS_SWEEP_SECONDS": "0.5", "ASSETS_SWEEP_AGE_SECONDS": "3"}
    async with newsroom(alone, tmp_path_factory.mktemp("uploads"), [CONTEXT], **SETTINGS, **swept) as running:
        yield running


@pytest.fixture
def desk(room: Newsroom) -> Desk:
    return Desk(Studio(room.channel(CONTEXT), RandomIds()), room.eventually)


class TestJourneys(Journeys):
    pass


async def test_uploads_are_processed_although_the_process_is_killed_among_them(room: Newsroom, desk: Desk) -> None:
    ids = []
    for n in range(6):
        request_id, data = RandomIds().new(), jpeg(width=400, height=300, seed=100 + n)
        uploaded = await until_answered(partial(desk.studio.upload, data, request_id=request_id))
        ids.append(uploaded.asset.asset_id)
        if n == 3:
            await room.kill(CONTEXT)
            await room.start(CONTEXT)
    for asset_id in ids:
        await desk.until(partial(until_answered, partial(desk.studio.is_ready, asset_id)))


async def test_contents_that_no_asset_needs_are_swept_and_the_others_stay(room: Newsroom, desk: Desk) -> None:
    contents = room.stores[CONTEXT].contents

    async def lost() -> AsyncIterator[bytes]:
        yield bytes(1000)

    kept = await desk.ready(jpeg(width=300, height=200, seed=50))
    orphan = await contents.put(lost(), owner=kept.asset_id)
    stranger = await contents.put(lost(), owner="nobody")

    async def is_gone(id: str) -> bool:
        try:
            return not [piece async for piece in contents.get(id)]
        except NoContent:
            return True

    await desk.until(lambda: is_gone(orphan.id))
    await desk.until(lambda: is_gone(stranger.id))
    assert (await desk.studio.download(kept.asset_id))[0].media_type == "image/jpeg"
    assert (await desk.studio.preview(kept.asset_id, pb.PREVIEW_SIZE_LARGE))[1]


async def test_read_models_that_are_rebuilt_equal_the_lived_ones(room: Newsroom) -> None:
    equal = await room.rebuilt()
    assert set(equal.values()) == {True}, equal
    assert {"media.assets/assets", "media.assets/prints"} <= set(equal)
