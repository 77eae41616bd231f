"""An asset: a picture, from its upload until it is ready or rejected."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Rejected

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
from services.media.assets.domain.values import Delivery, Picture, Preview, Size, StoredContent


class Status(StrEnum):
    UPLOADED = "uploaded"
    INSPECTED = "inspected"
    INDEXED = "indexed"
    READY = "ready"
    REJECTED = "rejected"


class NotInspected(Rejected):
    """The asset has no previews, and nothing to deliver, because it was not inspected yet or was rejected."""

    reason = "NOT_INSPECTED"


class AlreadyUploaded(Rejected):
    """There is an asset with this id."""

    reason = "ALREADY_UPLOADED"


@dataclass(slots=True, kw_only=True)
class Asset(Aggregate[AssetEvent]):
    """`content` is None before the upload. The steps of its processing come in order; a step that is over is passed."""

    title: str = ""
    photographer_id: str = ""
    tags: tuple[str, ...] = ()
    content: StoredContent | None = None
    uploaded_at: datetime | None = None
    erasures: int = 0
    status: Status = Status.UPLOADED
    picture: Picture | None = None
    previews: tuple[Preview, ...] = ()
    delivery: Delivery | None = None
    credits_ref: str = ""
    reason: str = ""
    explanation: str = ""
    hidden: bool = False

    def upload(
        self,
        *,
        title: str,
        photographer_id: str,
        tags: tuple[str, ...],
        content: StoredContent,
        now: datetime,
        erasures: int = 0,
    ) -> None:
        """Raises AlreadyUploaded if the asset is there."""
        if self.content is not None:
            raise AlreadyUploaded(f"there is an asset {self.id} already; choose another id")
        self.record(
            AssetUploaded(
                title=title,
                photographer_id=photographer_id,
                tags=tags,
                content=content,
                uploaded_at=now,
                erasures=erasures,
            )
        )

    def extract(
        self,
        picture: Picture,
        previews: tuple[Preview, ...],
        credits_ref: str,
        now: datetime,
        delivery: Delivery | None = None,
    ) -> None:
        """Records what the inspection found; the first inspection counts."""
        if self.status is Status.UPLOADED:
            self.record(
                MetadataExtracted(
                    picture=picture,
                    previews=previews,
                    credits_ref=credits_ref,
                    extracted_at=now,
                    delivery=delivery,
                )
            )

    def prepare(self, delivery: Delivery, now: datetime) -> None:
        """Records what is delivered of a picture that was inspected without it; the first one counts."""
        if self.picture is not None and self.delivery is None:
            self.record(DeliveryPrepared(delivery=delivery, prepared_at=now))

    def index(self, now: datetime) -> None:
        if self.status is Status.INSPECTED:
            self.record(AssetIndexed(indexed_at=now))

    def make_ready(self, now: datetime) -> None:
        if self.status is Status.INDEXED:
            self.record(AssetReadyForSearch(ready_at=now))

    def reject(self, reason: str, explanation: str, now: datetime) -> None:
        if self.status is Status.UPLOADED:
            self.record(AssetRejected(reason=reason, explanation=explanation, rejected_at=now))

    def hide(self, reason: str, now: datetime) -> None:
        """Takes it out of the search; nothing happens if it is not there."""
        if self.status is Status.READY and not self.hidden:
            self.record(AssetHidden(reason=reason, hidden_at=now))

    def show(self, now: datetime) -> None:
        if self.hidden:
            self.record(AssetShown(shown_at=now))

    def preview(self, size: Size) -> StoredContent:
        """Raises NotInspected if there is none."""
        for preview in self.previews:
            if preview.size is size:
                return preview.content
        raise NotInspected(f"the asset {self.id} is {self.status} and has no previews")

    @property
    def content_ids(self) -> frozenset[str]:
        """The contents that it needs. Those of a rejected asset are not kept."""
        if self.content is None or self.status is Status.REJECTED:
            return frozenset()
        recipe = self.delivery.recipe if self.delivery else None
        others = [preview.content for preview in self.previews] + ([recipe] if recipe else [])
        return frozenset([self.content.content_id, *(content.content_id for content in others)])

    def evolve(self, event: AssetEvent) -> None:
        match event:
            case AssetUploaded():
                self.title, self.photographer_id, self.tags = event.title, event.photographer_id, event.tags
                self.content, self.uploaded_at, self.erasures = event.content, event.uploaded_at, event.erasures
            case MetadataExtracted():
                self.picture, self.previews = event.picture, event.previews
                self.credits_ref, self.status = event.credits_ref, Status.INSPECTED
                self.delivery = event.delivery
            case DeliveryPrepared():
                self.delivery = event.delivery
            case AssetIndexed():
                self.status = Status.INDEXED
            case AssetReadyForSearch():
                self.status = Status.READY
            case AssetRejected():
                self.reason, self.explanation, self.status = event.reason, event.explanation, Status.REJECTED
            case AssetHidden():
                self.hidden = True
            case AssetShown():
                self.hidden = False
