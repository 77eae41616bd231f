"""The ways of a picture, in this process; and a storage that is away in the middle."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from media.assets.v1 import assets_service_pb2 as pb
from treaty.chance import RandomIds
from treaty.contents import Content, ContentsAway
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import embedded

from scripts.lib.pictures import jpeg
from tests.journeys.uploads import CONTEXT, SETTINGS, Desk, Journeys
from tests.services.media.studio import Studio

pytestmark = pytest.mark.slow


class TestJourneys(Journeys):
    @pytest.fixture
    async def desk(self) -> AsyncIterator[Desk]:
        async with embedded(CONTEXT, environ=SETTINGS) as world:
            yield Desk(Studio(world.channel, RandomIds()), eventually)


class Storage:
    """A storage that can be away, in front of another one."""

    def __init__(self, behind: Any) -> None:
        self._behind = behind
        self.away = False
        self.asked = 0

    async def put(self, pieces: AsyncIterator[bytes], *, owner: str) -> Content:
        self._answer()
        kept: Content = await self._behind.put(pieces, owner=owner)
        return kept

    async def get(self, id: str) -> AsyncGenerator[bytes, None]:
        self._answer()
        async for piece in self._behind.get(id):
            yield piece

    async def delete(self, id: str) -> bool:
        self._answer()
        return bool(await self._behind.delete(id))

    async def sweep(self, named: Any, **when: Any) -> int:
        self._answer()
        return int(await self._behind.sweep(named, **when))

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise ContentsAway("it is away")


async def test_a_storage_that_is_away_refuses_uploads_and_delays_what_was_uploaded() -> None:
    stores = MemoryStores(Surroundings())
    storage = Storage(stores.contents)
    stores.contents = storage
    async with embedded(CONTEXT, environ=SETTINGS, stores={CONTEXT: stores}) as world:
        studio, data = Studio(world.channel, RandomIds()), jpeg(width=320, height=200, seed=1)
        storage.away = True
        request_id = studio.ids.new()
        refused = await refusal(studio.upload(data, request_id=request_id))
        assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "DEPENDENCY_AWAY")
        storage.away = False
        asset_id = (await studio.upload(data, request_id=request_id)).asset.asset_id
        storage.away, before = True, storage.asked
        await eventually(lambda: storage.asked > before or _done(studio, asset_id))
        storage.away = False
        await eventually(lambda: studio.is_ready(asset_id))
        assert (await studio.download(asset_id))[1] == data


async def _done(studio: Studio, asset_id: str) -> bool:
    return (await studio.asset(asset_id)).status == pb.ASSET_STATUS_READY
