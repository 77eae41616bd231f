"""A client of Asset Processing."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from media.assets.v1 import assets_service_pb2 as pb
from media.assets.v1.assets_service_pb2_grpc import AssetsServiceStub
from treaty.testing.clients import TIMEOUT

PIECE = 60_000


class Studio:
    """Uploads pictures and asks about them, over a channel to Asset Processing."""

    def __init__(self, channel: Any, ids: Any) -> None:
        self.ids = ids
        self.stub: Any = AssetsServiceStub(channel)

    async def upload(
        self, data: bytes, *, pieces: Sequence[bytes] | None = None, **first: Any
    ) -> pb.UploadAssetResponse:
        """Uploads a content; the first message has a new request_id and a title unless others are given."""
        told = {"request_id": self.ids.new(), "title": "A picture", "photographer_id": "ann", **first}
        told.setdefault("content_bytes", len(data))
        messages = list(_messages(told, _cut(data) if pieces is None else pieces))
        answer: pb.UploadAssetResponse = await self.stub.UploadAsset(_stream(messages), timeout=TIMEOUT)
        return answer

    async def get(self, asset_id: str) -> pb.GetAssetResponse:
        answer: pb.GetAssetResponse = await self.stub.GetAsset(pb.GetAssetRequest(asset_id=asset_id), timeout=TIMEOUT)
        return answer

    async def asset(self, asset_id: str) -> pb.Asset:
        return (await self.get(asset_id)).asset

    async def is_ready(self, asset_id: str) -> bool:
        return (await self.asset(asset_id)).status == pb.ASSET_STATUS_READY

    async def is_processed(self, asset_id: str) -> bool:
        return (await self.asset(asset_id)).status in (pb.ASSET_STATUS_READY, pb.ASSET_STATUS_REJECTED)

    async def is_searchable(self, asset_id: str) -> bool:
        found = await self.search(page_size=200)
        return asset_id in {asset.asset_id for asset in found.assets}

    async def download(self, asset_id: str) -> tuple[Any, bytes]:
        """Returns the first message, and the content."""
        return await _whole(self.stub.DownloadAsset(pb.DownloadAssetRequest(asset_id=asset_id), timeout=TIMEOUT))

    async def preview(self, asset_id: str, size: Any) -> tuple[Any, bytes]:
        request = pb.DownloadPreviewRequest(asset_id=asset_id, size=size)
        return await _whole(self.stub.DownloadPreview(request, timeout=TIMEOUT))

    async def search(self, **fields: Any) -> pb.SearchAssetsResponse:
        answer: pb.SearchAssetsResponse = await self.stub.SearchAssets(
            pb.SearchAssetsRequest(**fields), timeout=TIMEOUT
        )
        return answer

    async def similar(self, **fields: Any) -> pb.FindSimilarResponse:
        answer: pb.FindSimilarResponse = await self.stub.FindSimilar(pb.FindSimilarRequest(**fields), timeout=TIMEOUT)
        return answer

    async def erase(self, photographer_id: str) -> int:
        request = pb.ErasePhotographerRequest(request_id=self.ids.new(), photographer_id=photographer_id)
        return int((await self.stub.ErasePhotographer(request, timeout=TIMEOUT)).erased)


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def _messages(first: dict[str, Any], pieces: Sequence[bytes]) -> Iterator[pb.UploadAssetRequest]:
    yield pb.UploadAssetRequest(**first, piece=pieces[0] if pieces else b"")
    for piece in pieces[1:]:
        yield pb.UploadAssetRequest(piece=piece)


async def _stream(messages: Sequence[pb.UploadAssetRequest]) -> AsyncIterator[pb.UploadAssetRequest]:
    for message in messages:
        yield message


async def _whole(stream: Any) -> tuple[Any, bytes]:
    first, data = None, b""
    async for message in stream:
        first = first or message
        data += message.piece
    return first, data
