"""What a context depends on, and what is done while it is away: a circuit breaker for each.

Whatever fails because something else is away is nobody's fault. Trying on at once, everywhere, makes it worse; so after
some failures in a row only one try at a time goes through, at growing intervals, until one succeeds.
"""

import asyncio
from dataclasses import dataclass, field

from treaty.chance import backoff
from treaty.surroundings import Surroundings

AFTER = 3
"""Failures in a row that open a breaker."""

_TRIAL_SECONDS = 10.0


class DependencyAway(Exception):
    """Something that the work depends on cannot be reached; `dependency` names it, such as commerce.ordering."""

    dependency = "unknown"


class GivenUp(Exception):
    """Nobody waits any more for the dependency to come back."""


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    retry_at: float = 0.0


@dataclass(slots=True)
class Breakers:
    """The breakers of one process, by dependency."""

    surroundings: Surroundings
    _breakers: dict[str, _Breaker] = field(default_factory=dict)

    def admit(self, dependency: str) -> bool:
        """Tells whether to try now. While the breaker is open that is one try at a time."""
        breaker = self._breakers.get(dependency)
        if breaker is None or breaker.failures < AFTER:
            return True
        now = asyncio.get_running_loop().time()
        if now < breaker.retry_at:
            return False
        breaker.retry_at = now + _TRIAL_SECONDS
        return True

    def failed(self, dependency: str) -> None:
        """Notes that a dependency was away."""
        breaker = self._breakers.setdefault(dependency, _Breaker())
        breaker.failures += 1
        pause = (
            self.surroundings.chance.jitter(backoff(breaker.failures - AFTER, 0.2, 10.0))
            if breaker.failures >= AFTER
            else 0.0
        )
        breaker.retry_at = asyncio.get_running_loop().time() + pause
        if breaker.failures == AFTER:
            self.surroundings.probe.gauge("treaty.breaker.open", 1, dependency=dependency)

    def succeeded(self, dependency: str) -> None:
        """Notes that it is there again."""
        breaker = self._breakers.pop(dependency, None)
        if breaker is not None and breaker.failures >= AFTER:
            self.surroundings.probe.gauge("treaty.breaker.open", 0, dependency=dependency)

    async def turn(self, dependency: str, stop: asyncio.Event) -> None:
        """Returns when it is the caller's turn to try, or the dependency is back.

        Raises:
            GivenUp: when `stop` is set.
        """
        while not stop.is_set():
            if self.admit(dependency):
                return
            try:
                async with asyncio.timeout(self.surroundings.chance.jitter(0.1)):
                    await stop.wait()
            except TimeoutError:
                continue
        raise GivenUp(dependency)
