"""The surroundings of the toolkit as one value: clock, identifiers, chance and a probe."""

from dataclasses import dataclass, field

from treaty.chance import Chance, Ids, RandomChance, RandomIds
from treaty.clock import Clock, SystemClock
from treaty.probes import NoProbe, Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The real clock, identifiers and chance, without a probe; tests, simulations and processes replace them."""

    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    chance: Chance = field(default_factory=RandomChance)
    probe: Probe = field(default_factory=NoProbe)
