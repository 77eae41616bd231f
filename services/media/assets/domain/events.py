"""The events of an asset."""

from dataclasses import dataclass
from datetime import datetime

from services.media.assets.domain.values import Delivery, Picture, Preview, StoredContent


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetUploaded:
    """`erasures` counts the erasures of the photographer that were recorded before the upload."""

    title: str
    photographer_id: str
    tags: tuple[str, ...]
    content: StoredContent
    uploaded_at: datetime
    erasures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataExtracted:
    """`credits_ref` is the reference of the credits among the personal data of the photographer.

    Without `delivery`, it is from before deliveries were prepared.
    """

    picture: Picture
    previews: tuple[Preview, ...]
    credits_ref: str
    extracted_at: datetime
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPrepared:
    """For a picture that was inspected before deliveries were prepared."""

    delivery: Delivery
    prepared_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetIndexed:
    indexed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReadyForSearch:
    ready_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRejected:
    """`reason` is for machines, such as TRUNCATED; `explanation` is a sentence."""

    reason: str
    explanation: str
    rejected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetHidden:
    """It is not found any longer, because it was withdrawn from sale; its contents remain."""

    reason: str
    hidden_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetShown:
    """It is found again."""

    shown_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographerErased:
    erased_at: datetime


AssetEvent = (
    AssetUploaded
    | MetadataExtracted
    | DeliveryPrepared
    | AssetIndexed
    | AssetReadyForSearch
    | AssetRejected
    | AssetHidden
    | AssetShown
)
