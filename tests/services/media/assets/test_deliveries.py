"""A content is delivered by its recipe; a picture from before recipes gets one with its first download."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import SeededIds, embedded

from scripts.lib.pictures import exif, jpeg, position
from services.media.assets.application.ports import Part
from services.media.assets.application.recipes import delivered, read, written
from services.media.assets.storage import ASSETS
from tests.services.media.studio import Studio

PARTS = [Part(stop=2), Part(new=b"new"), Part(start=3, stop=9), Part(blank=70_000), Part(start=11, stop=12)]
CONTENT = b"abcdefghijklmnop"


@pytest.mark.parametrize("size", [1, 2, 5, 16])
async def test_a_recipe_gives_the_same_bytes_however_the_content_is_cut(size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(CONTENT), size):
            yield CONTENT[at : at + size]

    made = b"".join([piece async for piece in delivered(pieces(), read(written(PARTS)))])
    assert made == b"abnewdefghi" + bytes(70_000) + b"l"


@pytest.mark.slow
async def test_a_picture_that_was_inspected_without_a_delivery_gets_one_with_its_first_download() -> None:
    data = jpeg(width=64, height=48, exif=exif({315: "Ann Lee"}, details={0xA431: "SN-4711"}, gps=position(1, 2)))
    async with embedded("media.assets", environ={"ASSETS_WORKERS": "1"}) as world:
        studio = Studio(world.channel, SeededIds("studio"))
        await studio.upload(data, asset_id="old")
        await eventually(lambda: studio.is_ready("old"))
        stores = world.stores["media.assets"]
        commits = await stores.log.read("asset-old")
    older = MemoryStores(Surroundings())
    older.contents = stores.contents
    for commit in commits:
        await older.log.append(
            replace(commit, events=_without_delivery(commit.events), state=_without_delivery(commit.state))
        )
    async with embedded("media.assets", environ={"ASSETS_WORKERS": "1"}, stores={"media.assets": older}) as world:
        studio = Studio(world.channel, SeededIds("studio"))
        first, content = await studio.download("old")
        assert (first.content_bytes, first.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert b"SN-4711" not in content
        assert (await studio.download("old"))[1] == content
        states = [ASSETS.events.decode(event) for one in await older.log.read("asset-old") for event in one.events]
        assert [type(one).__name__ for one in states].count("DeliveryPrepared") == 1


def _without_delivery(document: Any) -> Any:
    """Returns a stored form as it was before there were deliveries."""
    if isinstance(document, list | tuple):
        return [_without_delivery(one) for one in document]
    if isinstance(document, dict):
        return {name: _without_delivery(value) for name, value in document.items() if name != "delivery"}
    return document


@pytest.mark.slow
async def test_nothing_is_delivered_before_the_inspection() -> None:
    async with embedded("media.assets", environ={"ASSETS_WORKERS": "1"}) as world:
        studio = Studio(world.channel, SeededIds("studio"))
        await studio.upload(b"Dear editor", asset_id="letter")
        await eventually(lambda: studio.is_processed("letter"))
        assert (await refusal(studio.download("letter"))).reason == "NOT_INSPECTED"
