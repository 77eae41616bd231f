"""The terms of licenses: models, media, territories, periods, and the rules that each model has."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from treaty.domain import Invalid

from services.media.money import Money

WORLD = "WORLD"
"""The territory that contains all others. Each other territory is a country, by its ISO 3166 code of two letters."""

COMP_FOR = timedelta(days=30)
"""The longest time for which a picture may be tried in a layout."""


class Model(StrEnum):
    """How a license is sold.

    Royalty-free licenses are paid once, for the world and without end. Rights-managed ones are for a period, and only
    they can be exclusive. Editorial ones are for pictures without releases, so never for advertising. Comps are for
    layouts that are not published.
    """

    ROYALTY_FREE = "royalty-free"
    RIGHTS_MANAGED = "rights-managed"
    EDITORIAL = "editorial"
    COMP = "comp"

    @property
    def needs_releases(self) -> bool:
        """Whether it is only for pictures whose people and owners have agreed to a commercial use."""
        return self not in (Model.EDITORIAL, Model.COMP)


class Medium(StrEnum):
    PRINT = "print"
    WEB = "web"
    SOCIAL = "social"
    BROADCAST = "broadcast"
    ADVERTISING = "advertising"
    PACKAGING = "packaging"
    LAYOUT = "layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The territories and media in which a picture may be used."""

    territories: tuple[str, ...]
    media: tuple[Medium, ...]

    def has_territory(self, territory: str) -> bool:
        return WORLD in self.territories or territory in self.territories

    def overlaps(self, other: "Scope") -> bool:
        worldwide = WORLD in self.territories or WORLD in other.territories
        territories = worldwide or not set(self.territories).isdisjoint(other.territories)
        return territories and not set(self.media).isdisjoint(other.media)

    def contains(self, other: "Scope") -> bool:
        territories = all(self.has_territory(one) for one in other.territories)
        return territories and set(other.media) <= set(self.media)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time from `starts_at` (inclusive) to `ends_at` (exclusive), or without end."""

    starts_at: datetime
    ends_at: datetime | None = None

    def has(self, moment: datetime) -> bool:
        return self.starts_at <= moment and (self.ends_at is None or moment < self.ends_at)

    def overlaps(self, other: "Period") -> bool:
        return _before(self.starts_at, other.ends_at) and _before(other.starts_at, self.ends_at)

    def touches(self, other: "Period") -> bool:
        """Returns whether the two periods have no gap between them."""
        return self.overlaps(other) or self.ends_at == other.starts_at or other.ends_at == self.starts_at

    def joined(self, other: "Period") -> "Period":
        """Returns the period from the earlier start to the later end."""
        ends = None if self.ends_at is None or other.ends_at is None else max(self.ends_at, other.ends_at)
        return Period(starts_at=min(self.starts_at, other.starts_at), ends_at=ends)


def _before(moment: datetime, end: datetime | None) -> bool:
    return end is None or moment < end


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a license. Without `allowed` the uses are not limited; without `valid_for` it has no end."""

    model: Model
    scope: Scope
    allowed: int | None
    valid_for: timedelta | None
    exclusive: bool
    price: Money

    def period_from(self, starts_at: datetime) -> Period:
        return Period(starts_at=starts_at, ends_at=None if self.valid_for is None else starts_at + self.valid_for)


def check_terms(terms: Terms) -> None:
    """Checks the rules of the model. Raises Invalid."""
    _check_scope(terms.scope)
    if terms.allowed is not None and terms.allowed < 1:
        raise Invalid(
            "a license allows at least one use; leave the number out if they are not limited", field="allowed"
        )
    if terms.valid_for is not None and terms.valid_for <= timedelta(0):
        raise Invalid("a license is valid for some time; leave it out if there is no end", field="valid_for")
    if terms.exclusive and terms.model is not Model.RIGHTS_MANAGED:
        raise Invalid(f"only rights-managed licenses can be exclusive, not {terms.model} ones", field="exclusive")
    match terms.model:
        case Model.ROYALTY_FREE:
            _check_royalty_free(terms)
        case Model.RIGHTS_MANAGED:
            if terms.valid_for is None:
                raise Invalid("a rights-managed license is for a time: set valid_for", field="valid_for")
        case Model.EDITORIAL:
            if Medium.ADVERTISING in terms.scope.media:
                raise Invalid("an editorial license is never for advertising", field="media")
        case Model.COMP:
            _check_comp(terms)


def _check_scope(scope: Scope) -> None:
    if not scope.territories or not scope.media:
        raise Invalid("a license is for at least one territory and one medium", field="territories")
    if WORLD in scope.territories and len(scope.territories) > 1:
        raise Invalid(f"{WORLD} contains every territory: name it alone", field="territories")


def _check_royalty_free(terms: Terms) -> None:
    if terms.valid_for is not None:
        raise Invalid("a royalty-free license has no end: leave valid_for out", field="valid_for")
    if terms.scope.territories != (WORLD,):
        raise Invalid(f"a royalty-free license is for {WORLD}", field="territories")


def _check_comp(terms: Terms) -> None:
    if terms.scope.media != (Medium.LAYOUT,):
        raise Invalid("a comp is for layouts alone, and not for finished work", field="media")
    if terms.valid_for is None or terms.valid_for > COMP_FOR:
        raise Invalid(f"a comp is valid for at most {COMP_FOR.days} days", field="valid_for")
