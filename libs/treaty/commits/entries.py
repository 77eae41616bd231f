"""Entries of a feed, and the places behind them, which clients keep as opaque text."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from treaty.commits.commit import Committed
from treaty.commits.log import Place
from treaty.domain import Aggregate, Invalid

A = TypeVar("A", bound=Aggregate[Any])

_TOKEN = re.compile(r"[0-9A-Za-z]{0,800}")


@dataclass(frozen=True, slots=True)
class Entry(Generic[A]):
    """An aggregate after one of its commits, and the place behind it in the feed, as opaque text."""

    committed: Committed[A]
    place: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the feed: a place in the log, and the commit that was received last behind it, if there is one."""

    place: Place
    commit: str = ""
    position: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        values = [self.place.token, *self.place.position, self.commit, *self.position]
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

    @classmethod
    def parse(cls, text: str) -> "Spot":
        try:
            token, seconds, increment, commit, *position = json.loads(base64.urlsafe_b64decode(text))
            if not (isinstance(commit, str) and _TOKEN.fullmatch(token)):
                raise ValueError("the token is wrong")
            return cls(Place(token, (int(seconds), int(increment))), commit, (int(position[0]), int(position[1])))
        except (ValueError, TypeError, IndexError, binascii.Error):
            raise Invalid("use a place as this feed gave it", field="after") from None


@dataclass(frozen=True, slots=True)
class Part(Generic[A]):
    """A part of what a watcher has missed.

    Attributes:
        place: behind it.
        revisions: those of all commits that were read for it, also of those that the watcher has already.
    """

    place: Place
    entries: Sequence[Entry[A]]
    revisions: frozenset[str]
