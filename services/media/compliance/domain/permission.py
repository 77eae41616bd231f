"""The permission aggregate: Compliance's copy of a license."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate

from services.media.compliance.domain.events import (
    PermissionEnded,
    PermissionEvent,
    PermissionGranted,
    PermissionProlonged,
)

WORLD = "WORLD"
"""The place that contains all others."""


@dataclass(slots=True, kw_only=True)
class Permission(Aggregate[PermissionEvent]):
    """One permission. Its id is the license's."""

    granted: PermissionGranted | None = None
    ends_at: datetime | None = None
    allowed: int = 0
    ended: bool = False

    def grant(self, granted: PermissionGranted) -> None:
        if self.granted is None:
            self.record(granted)

    def prolong(self, ends_at: datetime | None, allowed: int) -> None:
        if self.ended or (ends_at, allowed) != (self.ends_at, self.allowed):
            self.record(PermissionProlonged(ends_at=ends_at, allowed=allowed))

    def end(self, ended_at: datetime) -> None:
        if not self.ended:
            self.record(PermissionEnded(ended_at=ended_at))

    def evolve(self, event: PermissionEvent) -> None:
        match event:
            case PermissionGranted():
                self.granted, self.ends_at, self.allowed = event, event.ends_at, event.allowed
            case PermissionProlonged():
                self.ends_at, self.allowed, self.ended = event.ends_at, event.allowed, False
            case PermissionEnded():
                self.ended = True
