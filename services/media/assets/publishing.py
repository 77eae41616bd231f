"""Translates the domain events of Asset Processing to integration events."""

from collections.abc import Iterator

from media.assets.v1 import assets_events_pb2 as pb
from treaty.rpc import EnumTable

from services.media.assets.domain.asset import Asset
from services.media.assets.domain.events import (
    AssetEvent,
    AssetHidden,
    AssetIndexed,
    AssetReadyForSearch,
    AssetRejected,
    AssetShown,
    AssetUploaded,
    DeliveryPrepared,
    MetadataExtracted,
)
from services.media.assets.domain.values import Release
from services.media.wire import time_to_wire

RELEASES = EnumTable(
    {
        Release.UNKNOWN: pb.RELEASE_UNSPECIFIED,
        Release.NOT_NEEDED: pb.RELEASE_NOT_NEEDED,
        Release.ALL: pb.RELEASE_ALL,
        Release.SOME: pb.RELEASE_SOME,
        Release.NONE: pb.RELEASE_NONE,
    }
)


def publish(asset: Asset, event: AssetEvent) -> Iterator[pb.AssetUploaded | pb.AssetReadyForSearch | pb.AssetRejected]:
    """Policy: announces that a picture was uploaded, and what became of it."""
    match event:
        case AssetUploaded():
            yield pb.AssetUploaded(
                asset_id=asset.id,
                photographer_id=event.photographer_id,
                title=event.title,
                sha256=event.content.sha256,
                content_bytes=event.content.size,
                uploaded_at=time_to_wire(event.uploaded_at),
            )
        case AssetReadyForSearch():
            assert asset.picture is not None
            assert asset.content is not None
            yield pb.AssetReadyForSearch(
                asset_id=asset.id,
                photographer_id=asset.photographer_id,
                title=asset.title,
                tags=asset.tags,
                format=asset.picture.format,
                width=asset.picture.width,
                height=asset.picture.height,
                sha256=asset.content.sha256,
                dhash=asset.picture.dhash,
                ready_at=time_to_wire(event.ready_at),
                model_release=RELEASES.to_wire(asset.picture.model_release),
                property_release=RELEASES.to_wire(asset.picture.property_release),
            )
        case AssetRejected():
            yield pb.AssetRejected(
                asset_id=asset.id,
                photographer_id=asset.photographer_id,
                reason=event.reason,
                explanation=event.explanation,
                rejected_at=time_to_wire(event.rejected_at),
            )
        case MetadataExtracted() | DeliveryPrepared() | AssetIndexed() | AssetHidden() | AssetShown():
            return
