"""The review aggregate: customers' opinions on products. Everybody can read them once they are published."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treaty.domain import Aggregate, Invalid, Rejected

LONGEST_TEXT = 2000


class Status(StrEnum):
    NEW = "new"
    PENDING = "pending"
    PUBLISHED = "published"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A customer's opinion on a product. `rating` is from 1 (bad) to 5 (good); `author` is the customer's id."""

    sku: str
    author: str
    rating: int
    title: str
    text: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.rating <= 5:
            raise Invalid(f"a rating must be from 1 to 5, not {self.rating}", field="rating")
        for field, text in (("title", self.title), ("text", self.text)):
            if len(text) > LONGEST_TEXT:
                raise Invalid(f"the {field} may have at most {LONGEST_TEXT} characters, not {len(text)}", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubmitted:
    opinion: Opinion
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPublished:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRejected:
    reason: str


ReviewEvent = ReviewSubmitted | ReviewPublished | ReviewRejected


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
