"""What the toolkit needs of the world around it, as one value: clock, identifiers, chance and a probe."""

from dataclasses import dataclass, field

from treaty.chance import Chance, Ids, RandomChance, RandomIds
from treaty.clock import Clock, SystemClock
from treaty.probes import NoProbe, Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The real world with no probe, unless a test, a simulation or a process says otherwise."""

    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    chance: Chance = field(default_factory=RandomChance)
    probe: Probe = field(default_factory=NoProbe)
