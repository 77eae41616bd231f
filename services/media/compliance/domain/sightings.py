"""The sighting aggregate: a use that somebody has seen, held against the permissions of the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from treaty.domain import Aggregate, Invalid, Rejected

from services.media.compliance.domain.events import UseSighted
from services.media.compliance.domain.findings import Finding, Kind, Use
from services.media.compliance.domain.permission import WORLD


class Known(Protocol):
    """A permission for the work, as far as it is known."""

    @property
    def permission_id(self) -> str: ...
    @property
    def holder_id(self) -> str: ...
    @property
    def places(self) -> tuple[str, ...]: ...
    @property
    def media(self) -> tuple[str, ...]: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime | None: ...
    @property
    def exclusive(self) -> bool: ...


@dataclass(slots=True, kw_only=True)
class Sighting(Aggregate[UseSighted]):
    """One sighting. If no permission covers it, its id is also that of the case."""

    sighted: UseSighted | None = None

    def sight(
        self, use: Use, *, holder_id: str, reporter: str, source: str, permissions: Iterable[Known], now: datetime
    ) -> None:
        """Records a sighting. Without `holder_id`, any permission that covers the use is taken for the user's."""
        if self.sighted is not None:
            raise Rejected(f"sighting {self.id} was reported already", reason="SIGHTING_REPORTED_ALREADY")
        if use.used_at > now:
            raise Invalid("a use is seen when it has happened, and not in the future", field="used_at")
        known = list(permissions)
        own = [one for one in known if not holder_id or one.holder_id == holder_id]
        covering = next((one for one in own if covers(one, use)), None)
        self.record(
            UseSighted(
                use=use,
                holder_id=holder_id,
                reporter=reporter,
                source=source,
                covered_by=covering.permission_id if covering else "",
                finding=None if covering else self._finding(use, holder_id, own, known),
            )
        )

    def _finding(self, use: Use, holder_id: str, own: list[Known], known: list[Known]) -> Finding:
        nearest = min(own, key=lambda one: len(_misses(one, use)), default=None) if holder_id else None
        kinds = _misses(nearest, use) if nearest else (Kind.UNLICENSED,)
        if any(one.exclusive and one not in own and covers(one, use) for one in known):
            kinds = (*kinds, Kind.EXCLUSIVE)
        return Finding(
            evidence=self.id,
            kinds=kinds,
            use=use,
            uses=1,
            holder_id=holder_id,
            permission_id=nearest.permission_id if nearest else "",
        )

    def evolve(self, event: UseSighted) -> None:
        self.sighted = event


def covers(permission: Known, use: Use) -> bool:
    """Returns whether a permission covers a use. Numbers of uses are counted by Licensing, and not here."""
    return not _misses(permission, use)


def _misses(permission: Known, use: Use) -> tuple[Kind, ...]:
    found = {
        Kind.PERIOD: use.used_at < permission.starts_at
        or (permission.ends_at is not None and use.used_at >= permission.ends_at),
        Kind.PLACE: WORLD not in permission.places and use.place not in permission.places,
        Kind.MEDIUM: use.medium not in permission.media,
    }
    return tuple(kind for kind, is_missed in found.items() if is_missed)
