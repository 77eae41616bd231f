"""The phases of a proof, and how much each of them does."""

from dataclasses import dataclass

from scripts.lib.prove.bank.run import Plan

PHASES = ("simulation", "crashes", "nemesis", "bank", "versions", "recovery")


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of a proof.

    Attributes:
        seeds: how many seeds are simulated.
        hits: at which visits of a crash point a process ends there.
        faults: how many faults the nemesis injects.
        events: how many events the nemesis run needs at least.
        clients: how many clients of the nemesis run work at a time.
        rounds: how many times this version is deployed over the version before and rolled back.
        bank: the extent of the bank test.
    """

    seeds: int
    hits: tuple[int, ...]
    faults: int
    events: int
    clients: int
    rounds: int
    bank: Plan


QUICK = Extent(seeds=4_000, hits=(2,), faults=24, events=22_000, clients=16, rounds=1, bank=Plan())
FULL = Extent(
    seeds=10_000,
    hits=(1, 2, 3),
    faults=360,
    events=900_000,
    clients=64,
    rounds=20,
    bank=Plan(transfers=10_000, people=1_000, rounds=10),
)
"""Each kind of fault of the nemesis and of the bank at least ten times: five hundred faults, and about a
million events.
"""
