"""The work aggregate: a picture that may be used without a permission, and the hashes by which it is recognised."""

from dataclasses import dataclass

from treaty.domain import Aggregate

from services.media.compliance.domain.events import WorkRegistered

MATCH, MAYBE = 4, 10
"""Bits of 64 in which perceptual hashes differ: up to MATCH it is taken for the same work, up to MAYBE it may be."""


@dataclass(slots=True, kw_only=True)
class Work(Aggregate[WorkRegistered]):
    """`sha256` is that of its content; `dhash` has 64 bits in hex, or is empty for a picture without contours."""

    sha256: str = ""
    dhash: str = ""

    def register(self, sha256: str, dhash: str) -> None:
        """Records the hashes; the same ones again change nothing."""
        if (self.sha256, self.dhash) != (sha256, dhash):
            self.record(WorkRegistered(sha256=sha256, dhash=dhash))

    def evolve(self, event: WorkRegistered) -> None:
        self.sha256, self.dhash = event.sha256, event.dhash
