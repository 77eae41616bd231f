"""The commands and queries of the use cases of Asset Processing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from treaty.projections import FIRST, Page

from services.media.assets.domain.values import Orientation, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadAsset:
    """`pieces` yields the content. Nothing can be committed before it ends."""

    asset_id: str
    title: str
    photographer_id: str
    tags: tuple[str, ...]
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class HideAsset:
    asset_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowAsset:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePhotographer:
    photographer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetAsset:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareDelivery:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadAsset:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadPreview:
    asset_id: str
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAssets:
    """An asset is found if all conditions hold. A condition that is empty, 0 or None always holds."""

    text: str = ""
    tag: str = ""
    orientation: Orientation | None = None
    min_width: int = 0
    min_height: int = 0
    camera: str = ""
    photographer_id: str = ""
    taken_from: str = ""
    taken_to: str = ""
    facets: bool = False
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSimilar:
    """One of the two is given."""

    asset_id: str = ""
    dhash: str = ""
