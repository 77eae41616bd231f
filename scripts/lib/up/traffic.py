"""A day of traffic, in minutes: quiet at night, busy at noon and in the evening, with bursts."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.lib.up.calls import Refused

_NIGHT = 0.25
_BURST = 10.0
_BURST_SHARE = 1 / 60
"""The rate of a burst, and its share of a day."""

_LOOK_EVERY = 0.5
"""Seconds after which the rate is looked at again."""


class NoSuchDeed(Exception):
    """The mix names a deed that the domains do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Attributes: `rate` is deeds a second on average; `seconds` is the length of a day; `bursts` is their number."""

    rate: float = 1.0
    seconds: float = 120.0
    bursts: int = 3

    def rate_at(self, moment: float) -> float:
        """Returns the deeds a second at a moment, in seconds since the first midnight."""
        hour = 24 * (moment / self.seconds % 1)
        shape = _NIGHT + 2.4 * _hump(hour, 12.5, 3.0) + 1.6 * _hump(hour, 20.0, 1.8)
        return self.rate * shape * (_BURST if self._is_burst(moment) else 1.0)

    def _is_burst(self, moment: float) -> bool:
        """Returns whether a burst runs: they are spread evenly over the day, the first in the middle of its part."""
        if not self.bursts:
            return False
        part = moment / self.seconds * self.bursts % 1
        return 0.5 <= part < 0.5 + _BURST_SHARE * self.bursts


def _hump(hour: float, at: float, width: float) -> float:
    return math.exp(-(((hour - at) / width) ** 2))


def mixed(deeds: Mapping[str, tuple[int, Any]], mix: str) -> dict[str, tuple[int, Any]]:
    """Returns the deeds with other weights, such as `buy=10,cancel=3`; the unnamed ones are left out.

    Raises:
        NoSuchDeed
    """
    if not mix:
        return dict(deeds)
    found: dict[str, tuple[int, Any]] = {}
    for part in mix.split(","):
        name, _, weight = part.partition("=")
        if name not in deeds or not weight.isdecimal():
            raise NoSuchDeed(f"--mix: {part!r} is not <deed>=<weight>; the deeds are {', '.join(deeds) or 'none'}")
        found[name] = int(weight), deeds[name][1]
    if not any(weight for weight, _ in found.values()):
        raise NoSuchDeed("--mix: at least one weight must be above zero")
    return found


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Does deeds at random, at the rate of the day.

    Args:
        ask: makes a call; raises Refused.
        refused: is told why a request was refused.
    """

    day: Day
    deeds: Mapping[str, tuple[int, Any]]
    ask: Callable[[Any], Awaitable[Any]]
    refused: Callable[[str], None]
    dice: random.Random = field(default_factory=random.Random)
    _placed: dict[str, list[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Goes on until it is cancelled. A deed does not wait for the one before it."""
        begun = asyncio.get_running_loop().time()
        names = list(self.deeds)
        weights = [self.deeds[name][0] for name in names]
        async with asyncio.TaskGroup() as group:
            while True:
                moment = asyncio.get_running_loop().time() - begun + self.day.seconds / 3  # it begins in the morning
                pause = self.dice.expovariate(self.day.rate_at(moment))
                await asyncio.sleep(min(pause, _LOOK_EVERY))
                if pause <= _LOOK_EVERY:  # otherwise the rate may have changed, and chance has no memory
                    [name] = self.dice.choices(names, weights)
                    group.create_task(self.do(name))

    async def do(self, name: str) -> None:
        """Does one deed to its end, or until a request is refused."""
        deed = self.deeds[name][1]
        steps = deed(self.dice, self._placed.setdefault(deed.__module__, []))
        try:
            request = next(steps)
            while True:
                request = steps.send(await self.ask(request))
        except StopIteration:
            pass
        except Refused as why:
            self.refused(str(why))
