"""The read models of Asset Processing."""

from dataclasses import dataclass, replace
from datetime import datetime

from treaty.projections import parts_of, words_of

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRow:
    """An asset as the search sees it. `taken_on` is YYYY-MM-DD, or empty; `words` are searched by their beginnings."""

    asset_id: str
    title: str
    photographer_id: str
    tags: tuple[str, ...]
    words: tuple[str, ...]
    uploaded_at: datetime
    format: str = ""
    width: int = 0
    height: int = 0
    orientation: str = ""
    camera: str | None = None
    taken_on: str = ""
    ready: bool = False


def asset_row(id: str, row: AssetRow | None, event: AssetEvent) -> AssetRow | None:
    """Projects the events of an asset. A rejected asset has no row."""
    match event:
        case AssetUploaded():
            return AssetRow(
                asset_id=id,
                title=event.title,
                photographer_id=event.photographer_id,
                tags=event.tags,
                words=words_of(event.title, *event.tags),
                uploaded_at=event.uploaded_at,
            )
        case MetadataExtracted() if row is not None:
            picture = event.picture
            return replace(
                row,
                words=words_of(row.title, *row.tags, *picture.keywords),
                format=picture.format,
                width=picture.width,
                height=picture.height,
                orientation=picture.orientation.value,
                camera=picture.camera or None,
                taken_on=picture.taken_at[:10],
            )
        case AssetReadyForSearch() | AssetShown() if row is not None:
            return replace(row, ready=True)
        case AssetHidden() if row is not None:
            return replace(row, ready=False)
        case AssetRejected():
            return None
        case (
            MetadataExtracted()
            | DeliveryPrepared()
            | AssetIndexed()
            | AssetReadyForSearch()
            | AssetHidden()
            | AssetShown()
        ):
            return row


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintRow:
    """The perceptual hash of an asset, in the parts that an index can search; no parts for a flat picture."""

    uploaded_at: datetime
    sha256: str
    dhash: str = ""
    parts: tuple[int, ...] = ()
    ready: bool = False


def print_row(id: str, row: PrintRow | None, event: AssetEvent) -> PrintRow | None:
    """Projects the events of an asset. The parts are there once it is ready, so nothing else is found."""
    match event:
        case AssetUploaded():
            return PrintRow(uploaded_at=event.uploaded_at, sha256=event.content.sha256)
        case MetadataExtracted() if row is not None:
            return replace(row, dhash=event.picture.dhash)
        case AssetReadyForSearch() | AssetShown() if row is not None:
            return replace(row, ready=True, parts=parts_of(row.dhash) if row.dhash else ())
        case AssetHidden() if row is not None:
            return replace(row, ready=False, parts=())
        case AssetRejected():
            return None
        case (
            MetadataExtracted()
            | DeliveryPrepared()
            | AssetIndexed()
            | AssetReadyForSearch()
            | AssetHidden()
            | AssetShown()
        ):
            return row
