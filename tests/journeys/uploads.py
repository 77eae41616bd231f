"""The ways of a picture, from its upload to the search: the same in this process and on the real servers."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import pytest
from media.assets.v1 import assets_service_pb2 as pb
from PIL import Image
from treaty.chance import RandomIds
from treaty.testing.clients import refusal

from scripts.lib.pictures import GPS, claiming_png, encoded, exif, jpeg, picture, position, xmp
from tests.services.media.studio import Studio

CONTEXT = "media.assets"
SETTINGS = {"ASSETS_WORKERS": "1"}


@dataclass(slots=True)
class Desk:
    """Asset Processing with a client. `until` waits for a condition."""

    studio: Studio
    until: Callable[[Callable[[], Any]], Awaitable[Any]]

    async def ready(self, data: bytes, **first: Any) -> pb.Asset:
        """Uploads a picture, and waits until it is ready."""
        asset_id = (await self.studio.upload(data, **first)).asset.asset_id
        await self.until(lambda: self.studio.is_ready(asset_id))
        await self.until(lambda: self.studio.is_searchable(asset_id))
        return await self.studio.asset(asset_id)

    async def processed(self, data: bytes, **first: Any) -> pb.Asset:
        """Uploads a content, and waits until it is ready or rejected."""
        asset_id = (await self.studio.upload(data, **first)).asset.asset_id
        await self.until(lambda: self.studio.is_processed(asset_id))
        return await self.studio.asset(asset_id)


def new_id() -> str:
    return f"a-{RandomIds().new()}"


class Journeys:
    """Each is a way from end to end. A subclass has the fixture `desk`."""

    async def test_a_picture_is_uploaded_inspected_and_found(self, desk: Desk) -> None:
        photographer, word = new_id(), new_id().replace("-", "")
        data = jpeg(width=800, height=600, seed=1)
        asset = await desk.ready(data, title=f"Harbour {word}", photographer_id=photographer, tags=["Sea", "boats"])
        assert (asset.picture.format, asset.picture.width, asset.picture.height) == ("JPEG", 800, 600)
        assert (list(asset.tags), asset.content_bytes) == (["sea", "boats"], len(data))
        conditions: list[dict[str, Any]] = [
            {"text": f"harb {word[:20]}"},
            {"tag": "BOATS", "photographer_id": photographer},
            {"orientation": pb.ORIENTATION_LANDSCAPE, "photographer_id": photographer, "min_width": 800},
        ]
        for condition in conditions:
            found = await desk.studio.search(**condition)
            assert [one.asset_id for one in found.assets] == [asset.asset_id], condition
        others: list[dict[str, Any]] = [{"orientation": pb.ORIENTATION_PORTRAIT}, {"min_width": 801}, {"tag": "boat"}]
        for condition in others:
            assert not (await desk.studio.search(photographer_id=photographer, **condition)).assets, condition
        assert (await refusal(desk.studio.search(text=".*"))).code is grpc.StatusCode.INVALID_ARGUMENT
        facets = await desk.studio.search(photographer_id=photographer, facets=True)
        counts = {facet.field: {c.value: c.assets for c in facet.counts} for facet in facets.facets}
        assert (facets.counted, counts["tags"], counts["format"]) == (1, {"boats": 1, "sea": 1}, {"JPEG": 1})

    async def test_a_content_and_its_previews_are_downloaded(self, desk: Desk) -> None:
        data = jpeg(width=1600, height=400, seed=2)
        asset = await desk.ready(data)
        first, content = await desk.studio.download(asset.asset_id)
        assert (first.media_type, first.content_bytes, content) == ("image/jpeg", len(data), data)
        for size in (pb.PREVIEW_SIZE_SMALL, pb.PREVIEW_SIZE_LARGE):
            first, preview = await desk.studio.preview(asset.asset_id, size)
            assert (first.media_type, first.content_bytes) == ("image/jpeg", len(preview))
            assert preview.startswith(b"\xff\xd8\xff")
        assert len(preview) < len(data)

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    async def test_a_content_is_delivered_with_its_rights_and_without_its_place_and_its_devices(
        self, desk: Desk, format: str
    ) -> None:
        block = exif({315: "Ann Lee", 33432: "© Ann Lee"}, details={0xA431: "SN-4711"}, gps=position(52.5, 13.4))
        data = encoded(picture(320, 200, seed=31), format, exif=block)
        photographer = new_id()
        asset = await desk.ready(data, photographer_id=photographer)
        assert (await desk.studio.get(asset.asset_id)).credits.latitude == pytest.approx(52.5)
        await desk.studio.erase(photographer)
        first, content = await desk.studio.download(asset.asset_id)
        assert (first.content_bytes, first.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert first.sha256 != asset.sha256
        assert b"SN-4711" in data
        assert b"SN-4711" not in content
        with Image.open(io.BytesIO(content)) as made, Image.open(io.BytesIO(data)) as original:
            assert made.tobytes() == original.tobytes()
            assert not made.getexif().get_ifd(GPS)
            assert made.getexif()[315] == "Ann Lee"

    async def test_a_repeated_upload_gets_the_first_answer(self, desk: Desk) -> None:
        request_id, data = RandomIds().new(), jpeg(width=320, height=200, seed=3)
        answers = [await desk.studio.upload(data, request_id=request_id) for _ in range(2)]
        assert answers[0].revision == answers[1].revision
        other = await refusal(desk.studio.upload(jpeg(width=320, height=200, seed=4), request_id=request_id))
        assert other.reason == "REQUEST_ID_REUSED"
        await desk.until(lambda: desk.studio.is_ready(answers[0].asset.asset_id))
        _, content = await desk.studio.download(answers[0].asset.asset_id)
        assert content == data

    async def test_another_upload_under_the_same_id_is_refused_and_the_first_one_stays(self, desk: Desk) -> None:
        asset_id, data = new_id(), jpeg(width=320, height=200, seed=5)
        await desk.ready(data, asset_id=asset_id)
        again = await refusal(desk.studio.upload(jpeg(width=320, height=200, seed=6), asset_id=asset_id))
        assert (again.code, again.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_UPLOADED")
        assert (await desk.studio.download(asset_id))[1] == data

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"This is a text, and no picture.", "NOT_A_PICTURE"),
            (jpeg(width=640, height=480, seed=7)[:9000], "TRUNCATED"),
            (claiming_png(60_000, 60_000), "TOO_MANY_PIXELS"),
        ],
        ids=["a text", "half a picture", "a bomb"],
    )
    async def test_what_is_no_picture_is_rejected_with_the_reason(self, desk: Desk, data: bytes, reason: str) -> None:
        asset = await desk.processed(data)
        assert (asset.status, asset.reason) == (pb.ASSET_STATUS_REJECTED, reason)
        assert asset.explanation
        for asked in (desk.studio.download(asset.asset_id), desk.studio.preview(asset.asset_id, pb.PREVIEW_SIZE_SMALL)):
            assert (await refusal(asked)).reason == "NOT_INSPECTED"

    async def test_an_empty_content_is_refused_at_once(self, desk: Desk) -> None:
        refused = await refusal(desk.studio.upload(b""))
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "EMPTY")

    async def test_an_upload_that_breaks_off_leaves_nothing(self, desk: Desk) -> None:
        asset_id, sent = new_id(), asyncio.Event()

        async def pieces() -> AsyncIterator[pb.UploadAssetRequest]:
            yield pb.UploadAssetRequest(
                request_id=RandomIds().new(),
                asset_id=asset_id,
                title="Half",
                content_bytes=200_000,
                piece=bytes(100_000),
            )
            sent.set()
            await asyncio.Event().wait()

        call = desk.studio.stub.UploadAsset(pieces())
        await sent.wait()
        call.cancel()
        short = await refusal(desk.studio.upload(bytes(1000), asset_id=asset_id, content_bytes=2000))
        assert short.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (await refusal(desk.studio.asset(asset_id))).code is grpc.StatusCode.NOT_FOUND

    async def test_pictures_that_look_alike_are_found(self, desk: Desk) -> None:
        image = picture(900, 600, seed=8)
        original = await desk.ready(jpeg(image=image))
        smaller = await desk.ready(jpeg(image=image.resize((300, 200))))
        turned = await desk.ready(jpeg(image=image.rotate(90, expand=True)))
        copy = await desk.ready(jpeg(image=image))
        await desk.ready(jpeg(width=900, height=600, seed=9))
        await desk.until(lambda: self._has_similar(desk, original.asset_id, 3))
        found = {one.asset_id: one for one in (await desk.studio.similar(asset_id=original.asset_id)).similar}
        assert found.keys() == {smaller.asset_id, turned.asset_id, copy.asset_id}
        assert found[copy.asset_id].likeness == pb.LIKENESS_SAME
        assert {found[one.asset_id].likeness for one in (smaller, turned)} == {pb.LIKENESS_MATCH}
        by_hash = await desk.studio.similar(dhash=original.picture.dhash)
        assert {one.asset_id for one in by_hash.similar} == {original.asset_id, smaller.asset_id, copy.asset_id}

    @staticmethod
    async def _has_similar(desk: Desk, asset_id: str, count: int) -> bool:
        return len((await desk.studio.similar(asset_id=asset_id)).similar) >= count

    async def test_erased_credits_are_gone_and_the_picture_stays(self, desk: Desk) -> None:
        photographer = new_id()
        asset = await desk.ready(
            jpeg(width=300, height=200, seed=10, xmp=xmp({"dc:creator": ["Ann Lee"]})), photographer_id=photographer
        )
        assert (await desk.studio.get(asset.asset_id)).credits.creator == "Ann Lee"
        assert await desk.studio.erase(photographer) == 1
        assert not (await desk.studio.get(asset.asset_id)).HasField("credits")
        assert await desk.studio.is_ready(asset.asset_id)

    async def test_credits_are_not_kept_after_an_erasure_that_came_before_the_inspection(self, desk: Desk) -> None:
        photographer = new_id()
        told = xmp({"dc:creator": ["Ann Lee"]})
        pictures = [jpeg(width=300, height=200, seed=20 + n, xmp=told) for n in range(4)]
        uploaded = await asyncio.gather(*(desk.studio.upload(one, photographer_id=photographer) for one in pictures))
        await desk.studio.erase(photographer)
        for one in uploaded:
            await desk.until(partial(desk.studio.is_ready, one.asset.asset_id))
            assert not (await desk.studio.get(one.asset.asset_id)).HasField("credits")
        later = await desk.ready(jpeg(width=300, height=200, seed=30, xmp=told), photographer_id=photographer)
        assert (await desk.studio.get(later.asset_id)).credits.creator == "Ann Lee"
