"""The messages between the service and a worker process: JSON, each after its length in 4 bytes, big-endian.

A worker sends `READY` when it has started. Then it reads one request after another, each the path of a file, and sends
one answer for each: an inspection, a refusal or a failure.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.media.assets.domain.picture import Metadata, Personal, Picture, Reason, Unreadable

LENGTH = 4
MAX_BYTES = 16 << 20
"""The largest message. An answer has two previews, of less than 2 MB together."""

MIN_MEMORY = 256 << 20

READY = b'"ready"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one worker process.

    Attributes:
        pixels: the largest width × height × frames.
        memory: bytes of address space of the process; below MIN_MEMORY it cannot decode anything.
        cpu_seconds: of computation for one picture.
        seconds: of time for one picture.
        pictures: after so many, a process ends and another one takes its place.
    """

    pixels: int = 200_000_000
    memory: int = 700 << 20
    cpu_seconds: int = 20
    seconds: float = 30.0
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
        body = {
            "picture": asdict(result.picture),
            "personal": asdict(result.personal),
            "previews": {name: b64encode(preview).decode() for name, preview in result.previews.items()},
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
    )


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
