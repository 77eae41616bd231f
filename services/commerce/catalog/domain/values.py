"""The values that products, categories and reviews consist of."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Invalid

from services.commerce.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The description of a product. `category` and `related` are ids of other aggregates; `images` are addresses."""

    name: str = ""
    description: str = ""
    category: str = ""
    tags: frozenset[str] = frozenset()
    images: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A lower price from `starts_at` (inclusive) to `ends_at` (exclusive)."""

    price: Money
    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        must_be_a_price(self.price, "price")
        if self.starts_at >= self.ends_at:
            raise Invalid("a promotion must end after it starts", field="ends_at")

    def runs(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at

    def is_over(self, at: datetime) -> bool:
        return self.ends_at <= at


def must_be_a_price(price: Money, field: str) -> None:
    """Raises Invalid if a price is negative."""
    if price.minor_units < 0:
        raise Invalid("a price cannot be negative", field=field)


LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A customer's opinion on a product. `rating` is from 1 (bad) to 5 (good); `author` is the customer's id.

    In commits, `title` and `text` are empty, and `ref` refers to them in the personal data. Opinions from before that
    have no `ref`.
    """

    sku: str
    author: str
    rating: int
    title: str = ""
    text: str = ""
    ref: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.rating <= 5:
            raise Invalid(f"a rating must be from 1 to 5, not {self.rating}", field="rating")
        for field, text in (("title", self.title), ("text", self.text)):
            if len(text) > LONGEST_TEXT:
                raise Invalid(f"the {field} may have at most {LONGEST_TEXT} characters, not {len(text)}", field=field)
