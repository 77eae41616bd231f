"""The values of an asset: its contents, and what its picture shows."""

from dataclasses import dataclass
from enum import StrEnum

SAME, MATCH, MAYBE = 0, 4, 10
"""Bits of 64 in which perceptual hashes differ: up to MATCH it is the same picture, up to MAYBE a person looks."""


class Size(StrEnum):
    """The size of a preview."""

    SMALL = "small"
    LARGE = "large"


class Orientation(StrEnum):
    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """A content in long-term storage; `size` is in bytes, `sha256` in hex."""

    content_id: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of a content: without a recipe all of it. The recipe is stored as a content, since it has names.

    Attributes:
        size, sha256: of what is delivered.
    """

    recipe: StoredContent | None
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    size: Size
    content: StoredContent


class Release(StrEnum):
    """Whether the people in a picture, or the owners of what it shows, have agreed to its commercial use."""

    UNKNOWN = "unknown"
    NOT_NEEDED = "not-needed"
    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The facts that a picture shows, without anything about people.

    Attributes:
        format: by content: JPEG, PNG, WEBP, TIFF or GIF.
        width, height: in pixels, upright.
        mode: the colours of a pixel, in Pillow's words, such as RGB, CMYK or I;16.
        frames: more than 1 for an animation.
        camera: make and model.
        taken_at: in ISO 8601, without an offset if the picture has none; or empty.
        keywords: from the picture.
        dhash: 64 bits in hex, upright; empty for a picture without contours.
        orientations: the hashes of its eight orientations, upright first; empty as well.
        warnings: oddities, as sentences.
        model_release: of the people in it; UNKNOWN if the picture does not say.
        property_release: of the owners of what it shows.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int = 1
    camera: str = ""
    taken_at: str = ""
    keywords: tuple[str, ...] = ()
    dhash: str = ""
    orientations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    model_release: Release = Release.UNKNOWN
    property_release: Release = Release.UNKNOWN

    @property
    def orientation(self) -> Orientation:
        if self.width == self.height:
            return Orientation.SQUARE
        return Orientation.LANDSCAPE if self.width > self.height else Orientation.PORTRAIT


class Likeness(StrEnum):
    """How much two pictures look alike."""

    SAME = "same"
    MATCH = "match"
    MAYBE = "maybe"


def likeness(distance: int, *, same_content: bool) -> Likeness:
    """Judges a distance of at most `MAYBE` bits. Only equal contents are certain."""
    if same_content:
        return Likeness.SAME
    return Likeness.MATCH if distance <= MATCH else Likeness.MAYBE
