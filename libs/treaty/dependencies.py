"""Dependencies of a context, and a circuit breaker (Michael Nygard, Release It!) for each.

A failure because a dependency is away is not a fault of the caller. Immediate retries by all callers would make it
worse. So after some failures in a row, a breaker admits only one try at a time, at growing intervals, until one
succeeds.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from treaty.chance import backoff
from treaty.surroundings import Surroundings

AFTER = 3
"""The number of failures in a row that opens a breaker."""

_TRIAL_SECONDS = 10.0

_FORGOTTEN_SECONDS = 600.0
"""After so long without a failure, a dependency counts as back: those that would have told may be gone. It is more than
the pause between two tries of a message that waits for another context."""


class DependencyAway(Exception):
    """A dependency of the work cannot be reached; `dependency` is its name, such as commerce.ordering."""

    dependency = "unknown"


class GivenUp(Exception):
    """The caller stopped waiting for the dependency."""


@dataclass(slots=True)
class _Breaker:
    """Times are those of the event loop."""

    since: float
    failed_at: float
    failures: int = 0
    retry_at: float = 0.0


@dataclass(slots=True)
class Breakers:
    """The circuit breakers of one process, by dependency."""

    surroundings: Surroundings
    _breakers: dict[str, _Breaker] = field(default_factory=dict)

    def admit(self, dependency: str) -> bool:
        """Returns whether the caller may try now; while the breaker is open, it admits one try at a time."""
        breaker = self._breakers.get(dependency)
        if breaker is None or not self.is_open(dependency):
            return True
        now = asyncio.get_running_loop().time()
        if now < breaker.retry_at:
            return False
        breaker.retry_at = now + _TRIAL_SECONDS
        return True

    def is_open(self, dependency: str) -> bool:
        """Returns whether only one try at a time is admitted."""
        breaker = self._breakers.get(dependency)
        return breaker is not None and breaker.failures >= AFTER

    def closed_to_all(self) -> Collection[str]:
        """Returns the dependencies that nobody may try now."""
        return [dependency for dependency in self._breakers if self.pause(dependency) > 0]

    def pause(self, dependency: str) -> float:
        """Returns the seconds until the next try is admitted."""
        if not self.is_open(dependency):
            return 0.0
        return max(self._breakers[dependency].retry_at - asyncio.get_running_loop().time(), 0.0)

    def away_for(self, dependency: str) -> float:
        """Returns the seconds since the first of the failures in a row; 0 if there is none."""
        breaker = self._breakers.get(dependency)
        return asyncio.get_running_loop().time() - breaker.since if breaker is not None else 0.0

    def failed(self, dependency: str) -> None:
        """Records that a call failed because the dependency was away."""
        self.settle()
        now = asyncio.get_running_loop().time()
        breaker = self._breakers.setdefault(dependency, _Breaker(since=now, failed_at=now))
        breaker.failed_at = now
        breaker.failures += 1
        pause = (
            self.surroundings.chance.jitter(backoff(breaker.failures - AFTER, 0.2, 10.0))
            if breaker.failures >= AFTER
            else 0.0
        )
        breaker.retry_at = now + pause
        if breaker.failures == AFTER:
            self.surroundings.probe.gauge("treaty.breaker.open", 1, dependency=dependency)

    def succeeded(self, dependency: str) -> None:
        """Records that the dependency answers again."""
        breaker = self._breakers.pop(dependency, None)
        if breaker is not None and breaker.failures >= AFTER:
            self.surroundings.probe.gauge("treaty.breaker.open", 0, dependency=dependency)

    def settle(self) -> None:
        """Forgets the dependencies that have not failed for ten minutes."""
        now = asyncio.get_running_loop().time()
        for dependency, breaker in list(self._breakers.items()):
            if now - breaker.failed_at > _FORGOTTEN_SECONDS:
                self.succeeded(dependency)

    async def turn(self, dependency: str, stop: asyncio.Event, *, seconds: float) -> bool:
        """Returns whether the caller may try, when it may or the dependency is back; False after so many seconds.

        Raises:
            GivenUp: when `stop` is set.
        """
        until = asyncio.get_running_loop().time() + seconds
        while not stop.is_set():
            if self.admit(dependency):
                return True
            if asyncio.get_running_loop().time() >= until:
                return False
            try:
                async with asyncio.timeout(self.surroundings.chance.jitter(0.1)):
                    await stop.wait()
            except TimeoutError:
                continue
        raise GivenUp(dependency)
