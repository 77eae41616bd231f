"""The review aggregate: customers' opinions on products. Everybody can read them once they are published."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

from services.commerce.catalog.domain.events import ReviewEvent, ReviewPublished, ReviewRejected, ReviewSubmitted
from services.commerce.catalog.domain.values import Opinion


class Status(StrEnum):
    NEW = "new"
    PENDING = "pending"
    PUBLISHED = "published"
    REJECTED = "rejected"


@dataclass(slots=True, kw_only=True)
class Review(Aggregate[ReviewEvent]):
    """One review. A later decision to publish or reject it replaces the earlier one."""

    status: Status = Status.NEW
    opinion: Opinion | None = None
    submitted_at: datetime | None = None
    reason: str = ""

    def submit(self, opinion: Opinion, at: datetime) -> None:
        if self.status is not Status.NEW:
            raise Rejected(f"review {self.id} is submitted already", reason="REVIEW_SUBMITTED_ALREADY")
        self.record(ReviewSubmitted(opinion=opinion, submitted_at=at))

    def publish(self) -> None:
        """Lets everybody read the review. Does nothing if it is published already."""
        if self.status is not Status.PUBLISHED:
            self.record(ReviewPublished())

    def reject(self, reason: str) -> None:
        """Hides the review, even if it was published before. Does nothing if the reason is the same."""
        if not reason.strip():
            raise Invalid("a rejection needs a reason", field="reason")
        if (self.status, self.reason) != (Status.REJECTED, reason):
            self.record(ReviewRejected(reason=reason))

    def evolve(self, event: ReviewEvent) -> None:
        match event:
            case ReviewSubmitted():
                self.status, self.opinion, self.submitted_at = Status.PENDING, event.opinion, event.submitted_at
            case ReviewPublished():
                self.status, self.reason = Status.PUBLISHED, ""
            case ReviewRejected():
                self.status, self.reason = Status.REJECTED, event.reason
