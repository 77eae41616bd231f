"""The nemesis run: it injects one fault after another into the real stack, while clients keep sending commands."""

import asyncio
import contextlib
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from treaty.testing import while_moving

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.faults import LONG
from scripts.lib.prove.servers import Servers
from scripts.lib.prove.stage import Stage, stage

QUIET_SECONDS = 1.0

_ONE_LONG_IN = 36

_EVENTS_OF_A_MOVEMENT = 2
"""One of the accounts and one of the ledger."""

_AHEAD = 1.5
"""How far the clients may be ahead of an even share of the events for each fault: the longer the log, the longer a
rebuild."""

_STILL = 120.0
"""Seconds without an event after which the rest is given up; then the verdict says what was not done."""


@dataclass(slots=True)
class Injected:
    """One fault. `began` and `mended` are seconds from the start of the run."""

    kind: str
    began: float
    mended: float = 0.0


@dataclass(slots=True)
class Befallen:
    """The outcome of a run. Times are seconds from its start.

    Attributes:
        answers: the times of the answers to clients.
        flow: the times at which the subscriber received the ledger's events, which come after both contexts.
        settled_after: the seconds from the last command until no work was left.
    """

    faults: list[Injected] = field(default_factory=list)
    answers: Sequence[float] = ()
    flow: Sequence[float] = ()
    seconds: float = 0.0
    settled_after: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def by_kind(self) -> Counter[str]:
        return Counter(fault.kind for fault in self.faults)


async def befall(servers: Servers, folder: Path, *, faults: int, events: int, clients: int, seed: int = 1) -> Befallen:
    """Runs until the number of faults and the number of events are reached.

    Every kind of fault is injected equally often, but for the long one. The seed determines the order and all other
    random choices.
    """
    found = Befallen()
    accounts = max(40, 2 * clients)
    # A message that fails holds up those behind it: a few on each account, however long the run is.
    fails_every = max(200, events // (4 * accounts))
    async with stage(
        servers,
        folder,
        "nemesis",
        seed=seed,
        clients=clients,
        accounts=accounts,
        pause=0.06,
        PROVING_FAILS_EVERY=str(fails_every),
    ) as scene:
        for number, kind in enumerate(_order(list(scene.faults.all), faults, scene.faults.chance), start=1):
            scene.clients.most = _AHEAD * events / _EVENTS_OF_A_MOVEMENT * number / faults
            await asyncio.sleep(QUIET_SECONDS * scene.faults.chance.uniform(0.5, 1.5))
            await _inject(kind, scene, found)
        scene.clients.most = math.inf
        with contextlib.suppress(AssertionError):
            await while_moving(
                lambda: sum(scene.noted.values()) * _EVENTS_OF_A_MOVEMENT >= events,
                lambda: len(scene.flow),
                still=_STILL,
                within=float("inf"),
            )
        found.seconds = scene.now()
        found.verdict = await scene.finish()
        found.settled_after = scene.now() - found.seconds
        found.answers = [moment - scene.begun for moment in scene.clients.successes]
        found.flow = [moment - scene.begun for moment in scene.flow]
    return found


async def _inject(kind: str, scene: Stage, found: Befallen) -> None:
    fault = Injected(kind, scene.now())
    found.faults.append(fault)
    await scene.faults.all[kind]()
    fault.mended = scene.now()


def _order(kinds: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """Returns kinds in rounds, each with all short kinds in random order, and a long one among each `_ONE_LONG_IN`."""
    short = [kind for kind in kinds if kind != LONG]
    order: list[str] = []
    while len(order) < count:
        order += chance.sample(short, len(short))
    for first in range(0, count, _ONE_LONG_IN):
        order.insert(chance.randrange(first, min(first + _ONE_LONG_IN, count)), LONG)
    return order[:count]
