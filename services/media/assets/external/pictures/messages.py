"""The messages between the service and a worker process: JSON, each after its length in 4 bytes, big-endian.

A worker sends `READY` when it has started. Then it reads one request after another, each the path of a file, and sends
one answer for each: an inspection, a refusal or a failure.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

LENGTH = 4
MAX_BYTES = 16 << 20
"""The largest message. An answer has two previews, of less than 2 MB together."""

MIN_MEMORY = 256 << 20

READY = b'"ready"'


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of what is delivered: the bytes of the file from `start` to `stop`, new bytes, or so many blank ones."""

    start: int = 0
    stop: int = 0
    new: bytes = b""
    blank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of a file, in the order of the file: without parts, all of it.

    Attributes:
        size: in bytes.
        sha256: in hex.
    """

    parts: tuple[Part, ...]
    size: int
    sha256: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one worker process.

    Attributes:
        pixels: the largest width × height × frames.
        memory: bytes of address space of the process; below MIN_MEMORY it cannot decode anything.
        cpu_seconds: of computation for one picture.
        seconds: of time for one picture, also on a machine that is busy: a picture that hangs is rare.
        pictures: after so many, a process ends and another one takes its place.
    """

    pixels: int = 200_000_000
    memory: int = 700 << 20
    cpu_seconds: int = 10
    seconds: float = 120.0
    pictures: int = 500

    def __post_init__(self) -> None:
        if self.memory < MIN_MEMORY:
            raise ValueError(f"a worker needs {MIN_MEMORY} bytes of memory, at least")
        if min(self.pixels, self.cpu_seconds, self.pictures) < 1 or self.seconds <= 0:
            raise ValueError("the limits of a worker must be positive")

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "Limits":
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The result for one file.

    Attributes:
        previews: "small" (at most 256 px wide and high) and "large" (1024 px): JPEG, upright, sRGB, on white, with no
            metadata.
    """

    picture: Picture
    personal: Personal
    previews: Mapping[str, bytes]
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Failure:
    """A fault of the machine, such as a disk that cannot be read; no picture is to blame."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`last` says that the worker ends after this answer."""

    result: Inspected | Unreadable | Failure
    last: bool = False


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH) + message


def dump(answer: Answer) -> bytes:
    result = answer.result
    if isinstance(result, Unreadable):
        body: dict[str, Any] = {"reason": result.reason, "sentence": result.sentence}
    elif isinstance(result, Failure):
        body = {"failure": result.sentence}
    else:
        parts = result.delivery.parts
        body = {
            "picture": asdict(result.picture),
            "personal": asdict(result.personal),
            "previews": {name: b64encode(preview).decode() for name, preview in result.previews.items()},
            "delivery": {
                "parts": [[part.start, part.stop, b64encode(part.new).decode(), part.blank] for part in parts],
                "size": result.delivery.size,
                "sha256": result.delivery.sha256,
            },
        }
    return json.dumps({**body, "last": answer.last}).encode()


def load(message: bytes) -> Answer:
    """Reads an answer.

    Raises:
        ValueError: the message is no answer.
    """
    try:
        body = json.loads(message)
        last = bool(body.pop("last"))
        if "reason" in body:
            return Answer(result=Unreadable(Reason(body["reason"]), str(body["sentence"])), last=last)
        if "failure" in body:
            return Answer(result=Failure(str(body["failure"])), last=last)
        return Answer(result=_inspected(body), last=last)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"a worker sent no answer: {error!r}") from error


def _inspected(body: dict[str, Any]) -> Inspected:
    picture = body["picture"]
    metadata = picture.pop("metadata")
    return Inspected(
        picture=Picture(**_frozen(picture), metadata=Metadata(**_frozen(metadata))),
        personal=Personal(**_frozen(body["personal"])),
        previews={str(name): b64decode(preview, validate=True) for name, preview in body["previews"].items()},
        delivery=_delivery(body["delivery"]),
    )


def _delivery(body: dict[str, Any]) -> Delivery:
    parts = tuple(
        Part(start=int(start), stop=int(stop), new=b64decode(new, validate=True), blank=int(blank))
        for start, stop, new, blank in body["parts"]
    )
    return Delivery(parts=parts, size=int(body["size"]), sha256=str(body["sha256"]))


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
