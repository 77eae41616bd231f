"""The inspection that Asset Processing needs from outside, in its own words."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from treaty.dependencies import DependencyAway

from services.media.assets.domain.values import Picture, Size


class InspectionAway(DependencyAway):
    """No worker can inspect a picture now. Try again later."""

    dependency = "inspection"


class Unreadable(Exception):
    """A content is no picture that can be used, however often it is tried.

    Attributes:
        reason: for machines, such as TRUNCATED.
        explanation: a sentence for people.
    """

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(f"{reason}: {explanation}")
        self.reason, self.explanation = reason, explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a delivery: the bytes of the content from `start` to `stop`, new bytes, or so many blank ones."""

    start: int = 0
    stop: int = 0
    new: bytes = b""
    blank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The result of an inspection.

    Attributes:
        picture: without anything about people.
        credits: what the picture says about people and rights, as texts: creator, copyright, credit, usage_terms,
            web_statement, caption, latitude, longitude, owner, serials. Only what it says is there.
        previews: JPEGs without metadata.
        parts: what is delivered of the content, in its order: its pixels and its rights, without its place and its
            devices. Without parts it is all of it.
        size, sha256: of what is delivered.
    """

    picture: Picture
    credits: Mapping[str, str]
    previews: Mapping[Size, bytes]
    parts: Sequence[Part]
    size: int
    sha256: str


class Inspection(Protocol):
    """Looks at pictures."""

    async def inspect(self, content: AsyncIterator[bytes]) -> Inspected:
        """Inspects a picture. Its content is not read before somebody can look at it.

        Raises:
            Unreadable: if it is no picture that can be used.
            InspectionAway: if nobody can look at it now.
        """
        ...
