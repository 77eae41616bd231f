"""The tries of a message where it stands, before it moves to quarantine."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from treaty.chance import backoff
from treaty.commits.codec import NeedsDeploy
from treaty.concurrency.guarded import HANDLER_SECONDS, TookTooLong, guarded_for
from treaty.dependencies import Breakers, DependencyAway
from treaty.messaging.envelope import Envelope
from treaty.surroundings import Surroundings

_KEPT_SECONDS = 1500.0
"""For so long a message is tried where it stands: RabbitMQ takes it back after 30 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a message is tried where it stands before it moves to quarantine, and how often that is looked at.

    Attributes:
        tries: attempts in the lane.
        pause: seconds before the second attempt; doubles each time, with jitter.
        look_every: seconds between looks at the quarantine for retries and people's intents.
        away_seconds: how long a dependency is away before the messages that need it move too, so that others need not
            wait behind them.
        handler_seconds: how long a handler may take. A message whose handler takes longer moves at once, because all
            messages of its key have waited so long already.
    """

    tries: int = 4
    pause: float = 0.1
    look_every: float = 1.0
    away_seconds: float = 30.0
    handler_seconds: float = HANDLER_SECONDS


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries to handle messages.

    Attributes:
        run: handles one event, once.
    """

    run: Callable[[Envelope], Awaitable[None]]
    patience: Patience
    breakers: Breakers
    surroundings: Surroundings

    async def handle(self, envelope: Envelope) -> None:
        """Handles an event once. What its handler raises is an exception, also if it was cancelled from within.

        Raises:
            TookTooLong
        """
        await guarded_for(self.patience.handler_seconds, self.run(envelope))

    async def make(self, envelope: Envelope, stop: asyncio.Event) -> Exception | None:
        """Handles an event, a few times if need be; returns the last error, or None when it is done.

        Raises:
            GivenUp: if `stop` is set while something that the event needs is away. Then the event comes again.
        """
        attempts, begun, missing = 0, asyncio.get_running_loop().time(), ""
        until, last = begun + self.patience.away_seconds, begun + _KEPT_SECONDS - self.patience.handler_seconds
        probe, chance = self.surroundings.probe, self.surroundings.chance
        while True:
            try:
                probe.reach("consumer.handling")
                await self.handle(envelope)
                probe.reach("consumer.handled")
                self.breakers.succeeded(missing)
                return None
            except DependencyAway as away:
                failure: Exception = away
                missing = away.dependency
                self.breakers.failed(missing)
            except Exception as error:
                failure = error
                attempts += 1
            probe.count("treaty.consumer.retries", type=envelope.type)
            if isinstance(failure, NeedsDeploy | TookTooLong) or attempts >= self.patience.tries:
                return failure
            if attempts and asyncio.get_running_loop().time() > last:
                return failure
            await asyncio.sleep(chance.jitter(backoff(max(attempts - 1, 0), self.patience.pause, 5.0)))
            if isinstance(failure, DependencyAway) and not await self._may_try_again(missing, until, stop):
                return failure

    async def _may_try_again(self, missing: str, until: float, stop: asyncio.Event) -> bool:
        """Waits for the turn to try a dependency that is away; returns False if the event had better move."""
        left = min(
            until - asyncio.get_running_loop().time(),
            self.patience.away_seconds - self.breakers.away_for(missing),
        )
        return left > 0 and await self.breakers.turn(missing, stop, seconds=left)


def missing_of(error: Exception, event: Envelope) -> str:
    """Returns the dependency that was away when an event failed; nothing, if that is not why.

    A handler that hangs counts as one.
    """
    if isinstance(error, TookTooLong):
        return handler_of(event.type)
    return error.dependency if isinstance(error, DependencyAway) else ""


def handler_of(type: str) -> str:
    """Returns the name under which the handler of a type of event counts as a dependency."""
    return f"handler of {type}"
