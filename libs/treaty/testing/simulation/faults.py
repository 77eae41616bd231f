"""Faults between a process and its servers: the rate of each fault, and the fate of one request."""

import random
from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """The fate of a request."""

    ANSWERED = "answered"
    LOST = "the request was lost; it had no effect"
    UNANSWERED = "the request took effect; the answer was lost"
    LATE = "the request was reported as failed; it takes effect later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The probability of each fault for each request, and durations in seconds.

    Attributes:
        lost, unanswered, late: the probabilities for a request to a store or the broker.
        latency: the longest way between a process and a server; drawn between a tenth of it and all of it.
        delay: the longest time after which a late request takes effect.
        shorter: the probability that a read of the log breaks, and is resumed from an older place.
    """

    lost: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0
    latency: float = 0.005
    delay: float = 2.0
    shorter: float = 0.0

    def draw(self, chance: random.Random) -> Fate:
        point = chance.random()
        for fate, rate in ((Fate.LOST, self.lost), (Fate.UNANSWERED, self.unanswered), (Fate.LATE, self.late)):
            point -= rate
            if point < 0:
                return fate
        return Fate.ANSWERED


NONE = Rates()
