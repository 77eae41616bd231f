"""The gRPC servicer of Asset Processing, and the translation of its messages."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from media.assets.v1 import assets_service_pb2 as pb
from media.assets.v1 import assets_service_pb2_grpc as pb_grpc
from treaty.domain import Invalid
from treaty.projections import Facets
from treaty.rpc import EnumTable, page_of, to_token

from services.media.assets.application.commands import (
    DownloadAsset,
    DownloadPreview,
    ErasePhotographer,
    FindSimilar,
    GetAsset,
    SearchAssets,
    UploadAsset,
)
from services.media.assets.application.library import Download, Library
from services.media.assets.domain.asset import Asset, Status
from services.media.assets.domain.values import Likeness, Orientation, Picture, Size
from services.media.assets.projections import AssetRow
from services.media.assets.publishing import RELEASES
from services.media.wire import time_to_wire

T = TypeVar("T")

STATUSES = EnumTable(
    {
        Status.UPLOADED: pb.ASSET_STATUS_UPLOADED,
        Status.INSPECTED: pb.ASSET_STATUS_INSPECTED,
        Status.INDEXED: pb.ASSET_STATUS_INDEXED,
        Status.READY: pb.ASSET_STATUS_READY,
        Status.REJECTED: pb.ASSET_STATUS_REJECTED,
    }
)
ORIENTATIONS = EnumTable(
    {
        Orientation.LANDSCAPE: pb.ORIENTATION_LANDSCAPE,
        Orientation.PORTRAIT: pb.ORIENTATION_PORTRAIT,
        Orientation.SQUARE: pb.ORIENTATION_SQUARE,
    }
)
SIZES = EnumTable({Size.SMALL: pb.PREVIEW_SIZE_SMALL, Size.LARGE: pb.PREVIEW_SIZE_LARGE})
LIKENESSES = EnumTable(
    {
        Likeness.SAME: pb.LIKENESS_SAME,
        Likeness.MATCH: pb.LIKENESS_MATCH,
        Likeness.MAYBE: pb.LIKENESS_MAYBE,
    }
)


class AssetsApi(pb_grpc.AssetsServiceServicer):
    def __init__(self, library: Library) -> None:
        self._library = library

    async def UploadAsset(
        self, request_iterator: AsyncIterator[pb.UploadAssetRequest], context: Any
    ) -> pb.UploadAssetResponse:
        first = await anext(request_iterator)
        if not first.title.strip():
            raise Invalid("the first message of an upload has a title", field="title")
        command = UploadAsset(
            asset_id=first.asset_id or first.request_id.lower(),
            title=first.title.strip(),
            photographer_id=first.photographer_id or "unknown",
            tags=tuple(dict.fromkeys(tag.strip().lower() for tag in first.tags if tag.strip())),
            pieces=_pieces(first, request_iterator),
        )
        uploaded = await self._library.upload_asset(command)
        return pb.UploadAssetResponse(asset=asset_of(uploaded.state), revision=uploaded.revision)

    async def ErasePhotographer(
        self, request: pb.ErasePhotographerRequest, context: Any
    ) -> pb.ErasePhotographerResponse:
        erased = await self._library.erase_photographer(ErasePhotographer(photographer_id=request.photographer_id))
        return pb.ErasePhotographerResponse(erased=erased)

    async def GetAsset(self, request: pb.GetAssetRequest, context: Any) -> pb.GetAssetResponse:
        found, credits = await self._library.get_asset(GetAsset(asset_id=request.asset_id))
        return pb.GetAssetResponse(
            asset=asset_of(found.state), revision=found.revision, credits=_credits_of(credits) if credits else None
        )

    async def DownloadAsset(
        self, request: pb.DownloadAssetRequest, context: Any
    ) -> AsyncIterator[pb.DownloadAssetResponse]:
        download = await self._library.download_asset(DownloadAsset(asset_id=request.asset_id))
        async for message in _streamed(download, pb.DownloadAssetResponse):
            yield message

    async def DownloadPreview(
        self, request: pb.DownloadPreviewRequest, context: Any
    ) -> AsyncIterator[pb.DownloadPreviewResponse]:
        query = DownloadPreview(asset_id=request.asset_id, size=SIZES.from_wire(request.size, field="size"))
        async for message in _streamed(await self._library.download_preview(query), pb.DownloadPreviewResponse):
            yield message

    async def SearchAssets(self, request: pb.SearchAssetsRequest, context: Any) -> pb.SearchAssetsResponse:
        orientation = request.orientation
        query = SearchAssets(
            text=request.text,
            tag=request.tag.strip().lower(),
            orientation=ORIENTATIONS.from_wire(orientation, field="orientation") if orientation else None,
            min_width=request.min_width,
            min_height=request.min_height,
            camera=request.camera,
            photographer_id=request.photographer_id,
            taken_from=request.taken_from,
            taken_to=request.taken_to,
            facets=request.facets,
            page=page_of(request),
        )
        rows, after, facets = await self._library.search_assets(query)
        return pb.SearchAssetsResponse(
            assets=[_found_of(row) for row in rows],
            next_page_token=to_token(after),
            facets=_facets_of(facets) if facets else (),
            counted=facets.total if facets else 0,
            more=bool(facets and not facets.complete),
        )

    async def FindSimilar(self, request: pb.FindSimilarRequest, context: Any) -> pb.FindSimilarResponse:
        found = await self._library.find_similar(FindSimilar(asset_id=request.asset_id, dhash=request.dhash))
        similar = [
            pb.Similar(asset_id=one.asset_id, distance=one.distance, likeness=LIKENESSES.to_wire(one.likeness))
            for one in found or ()
        ]
        return pb.FindSimilarResponse(similar=similar, flat=found is None)


async def _pieces(first: pb.UploadAssetRequest, rest: AsyncIterator[pb.UploadAssetRequest]) -> AsyncIterator[bytes]:
    if first.piece:
        yield first.piece
    async for message in rest:
        if message.piece:
            yield message.piece


async def _streamed(download: Download, message: Callable[..., T]) -> AsyncIterator[T]:
    """Yields a message that says what follows, and then the content."""
    yield message(media_type=download.media_type, content_bytes=download.size, sha256=download.sha256)
    async for piece in download.pieces:
        yield message(piece=piece)


def asset_of(asset: Asset) -> pb.Asset:
    """Returns the message of an asset that was uploaded."""
    assert asset.content is not None
    assert asset.uploaded_at is not None
    return pb.Asset(
        asset_id=asset.id,
        title=asset.title,
        photographer_id=asset.photographer_id,
        tags=asset.tags,
        status=STATUSES.to_wire(asset.status),
        content_bytes=asset.content.size,
        sha256=asset.content.sha256,
        uploaded_at=time_to_wire(asset.uploaded_at),
        picture=_picture_of(asset.picture) if asset.picture else None,
        reason=asset.reason,
        explanation=asset.explanation,
        hidden=asset.hidden,
    )


def _picture_of(picture: Picture) -> pb.Picture:
    return pb.Picture(
        format=picture.format,
        width=picture.width,
        height=picture.height,
        mode=picture.mode,
        frames=picture.frames,
        camera=picture.camera,
        taken_at=picture.taken_at,
        keywords=picture.keywords,
        dhash=picture.dhash,
        warnings=picture.warnings,
        model_release=RELEASES.to_wire(picture.model_release),
        property_release=RELEASES.to_wire(picture.property_release),
    )


def _credits_of(credits: Mapping[str, str]) -> pb.Credits:
    message = pb.Credits(
        creator=credits.get("creator", ""),
        copyright=credits.get("copyright", ""),
        credit=credits.get("credit", ""),
        usage_terms=credits.get("usage_terms", ""),
        web_statement=credits.get("web_statement", ""),
        caption=credits.get("caption", ""),
    )
    with suppress(KeyError, ValueError):
        latitude, longitude = float(credits["latitude"]), float(credits["longitude"])
        message.latitude, message.longitude = latitude, longitude
    return message


def _found_of(row: AssetRow) -> pb.Found:
    return pb.Found(
        asset_id=row.asset_id,
        title=row.title,
        photographer_id=row.photographer_id,
        tags=row.tags,
        format=row.format,
        width=row.width,
        height=row.height,
        camera=row.camera or "",
        taken_on=row.taken_on,
        uploaded_at=time_to_wire(row.uploaded_at),
    )


def _facets_of(facets: Facets) -> list[pb.Facet]:
    return [
        pb.Facet(field=field, counts=[pb.Count(value=str(value), assets=number) for value, number in counts])
        for field, counts in facets.counts.items()
    ]
