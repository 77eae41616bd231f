"""Pictures: the facts that an inspection finds in a file, and the reasons for which it refuses one."""

from dataclasses import dataclass
from enum import StrEnum


class Orientation(StrEnum):
    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The words of a file about its picture, from XMP first, then IPTC, then EXIF. A field that is not there is empty.

    Attributes:
        taken_at: ISO 8601, a date or a date with time; without an offset it is local time. Never invented.
        camera: make and model.
        marked: whether the picture is marked as protected by copyright (True) or as public domain (False).
        model_release, property_release, data_mining: codes of the PLUS vocabulary, such as "MR-UMR" or
            "DMI-PROHIBITED".
    """

    creator: str = ""
    copyright: str = ""
    credit: str = ""
    usage_terms: str = ""
    web_statement: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    taken_at: str = ""
    camera: str = ""
    marked: bool | None = None
    licensor: str = ""
    model_release: str = ""
    property_release: str = ""
    data_mining: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """The data of a file about a person. They belong into the private store, never into an event.

    Attributes:
        latitude, longitude: degrees, north and east positive; both are there or none.
        owner: the owner of the camera.
        serials: the serial numbers of camera and lens.
    """

    latitude: float | None = None
    longitude: float | None = None
    owner: str = ""
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that could be decoded whole.

    Attributes:
        format: "JPEG", "PNG", "WEBP", "TIFF" or "GIF", by content.
        width, height: pixels, upright.
        mode: the kind of pixels as Pillow calls it, such as "RGB", "CMYK", "L" or "I;16".
        frames: the number of pictures of an animation; only the first one was decoded.
        dhash: the 64-bit difference hash of the upright picture in 16 hexadecimal digits; empty for a flat picture,
            which has no hash worth comparing.
        orientations: the hashes of the picture in its eight orientations, the upright one first. Each one is empty if
            the picture is flat in that orientation.
        warnings: sentences about parts of the file that could not be used.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int = 1
    dhash: str = ""
    orientations: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    warnings: tuple[str, ...] = ()

    @property
    def orientation(self) -> Orientation:
        if self.width == self.height:
            return Orientation.SQUARE
        return Orientation.LANDSCAPE if self.width > self.height else Orientation.PORTRAIT


class Reason(StrEnum):
    """Why a file is no picture that can be used."""

    EMPTY = "EMPTY"
    NOT_A_PICTURE = "NOT_A_PICTURE"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    TRUNCATED = "TRUNCATED"
    CORRUPT = "CORRUPT"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    TOO_LARGE = "TOO_LARGE"
    KILLED_ITS_WORKER = "KILLED_ITS_WORKER"


class Unreadable(Exception):
    """A file that is refused. Trying again gives the same result.

    Attributes:
        reason: a code for programs.
        sentence: why, for people.
    """

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = sentence
