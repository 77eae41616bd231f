"""Anchors: the hashes of seals, outside the database."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from treaty.seals.seal import Seal

logger = structlog.get_logger()

EVENT = "sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The hash of a seal, as it was told when the seal was made."""

    context: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Anchors:
    """Sends the hash of each seal out of the database: to the log, and to a file, if there is one."""

    file: Path | None = None

    def tell(self, seal: Seal) -> None:
        told = {
            "context": seal.context,
            "seal": seal.number,
            "hash": seal.hash,
            "commits": len(seal.ids),
            "until": list(seal.until),
            "signature": seal.signature,
        }
        logger.info(EVENT, **told)
        if self.file is not None:
            try:
                with self.file.open("a") as anchors:
                    anchors.write(json.dumps({"event": EVENT, **told}) + "\n")
            except OSError as error:
                logger.error("the anchor cannot be written", file=str(self.file), why=error.strerror, seal=seal.number)


def read_anchors(lines: Iterable[str]) -> Iterator[Anchor]:
    """Yields the anchors in a log of JSON lines, or in a file of anchors; other lines are passed over."""
    for line in lines:
        try:
            told = json.loads(line[line.index("{") :])
            if told["event"] == EVENT:
                yield Anchor(context=str(told["context"]), number=int(told["seal"]), hash=str(told["hash"]))
        except (KeyError, TypeError, ValueError):
            continue
