"""Identity and chance: identifiers, and the spread of retries. A test or a simulation puts its own in their place."""

import random
import uuid
from typing import Protocol


class Ids(Protocol):
    """Makes identifiers."""

    def new(self) -> str:
        """Returns a new UUID as text."""
        ...


class Chance(Protocol):
    """Spreads retries."""

    def jitter(self, seconds: float) -> float:
        """Returns a time between half and one and a half of `seconds`."""
        ...


def backoff(tries: int, first: float, most: float) -> float:
    """Returns the pause before another try, in seconds: doubled each time, up to `most`, however many there are."""
    return min(first * 2.0 ** min(tries, 100), most)


class RandomIds:
    """Random UUIDs (version 4)."""

    def new(self) -> str:
        return str(uuid.uuid4())


class RandomChance:
    """Uniform jitter."""

    def jitter(self, seconds: float) -> float:
        return seconds * random.uniform(0.5, 1.5)
