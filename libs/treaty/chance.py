"""Ports for identifiers and for the jitter of retries. A test or a simulation uses its own implementations."""

import asyncio
import random
import uuid
from dataclasses import dataclass
from typing import Protocol, Self


class Ids(Protocol):
    """Makes identifiers."""

    def new(self) -> str:
        """Returns a new UUID as text."""
        ...


class Chance(Protocol):
    """Spreads retries over time."""

    def jitter(self, seconds: float) -> float:
        """Returns a random time between 0.5 and 1.5 times `seconds`."""
        ...


class RandomIds:
    """Random UUIDs (version 4)."""

    def new(self) -> str:
        return str(uuid.uuid4())


class RandomChance:
    """Uniform jitter."""

    def jitter(self, seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.5)


def backoff(tries: int, first: float, most: float) -> float:
    """Returns the pause in seconds after `tries` tries: `first` after none, doubled with each try, at most `most`."""
    return min(first * 2.0 ** min(tries, 100), most)


@dataclass(slots=True)
class Attempts:
    """Numbers attempts from 1 on, and pauses before each attempt except the first."""

    chance: Chance
    first: float
    most: float
    made: int = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if self.made:
            await asyncio.sleep(self.chance.jitter(backoff(self.made - 1, self.first, self.most)))
        self.made += 1
        return self.made


def retrying(chance: Chance, *, first: float, most: float) -> Attempts:
    """Returns attempts for `async for`; the caller leaves the loop when an attempt succeeds.

    Args:
        first: seconds of the first pause; each pause is twice the one before, with jitter.
        most: the longest pause in seconds.
    """
    return Attempts(chance, first, most)
