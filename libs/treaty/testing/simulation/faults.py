"""Faults between a process and its servers: how often each happens, and what becomes of one request."""

import random
from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What becomes of a request."""

    ANSWERED = "answered"
    LOST = "lost on its way: nothing happened, nobody knows"
    UNANSWERED = "carried out, the answer is lost"
    LATE = "said to have failed, and carried out some time later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How likely each fault is, per request, and how long things take, in seconds.

    Attributes:
        lost, unanswered, late: of a request to a store or the broker.
        latency: of one way between a process and a server; drawn between a tenth of it and all of it.
        delay: how much later a late request is carried out, at most.
        shorter: how likely a reading of the log breaks and is begun again from an older place.
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
