"""Carries out people's intents, and tries messages in quarantine again, as the owner of their partition does."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from treaty.commits.codec import NeedsDeploy
from treaty.dependencies import Breakers, DependencyAway
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import (
    AWAY_AT_MOST,
    Answered,
    Held,
    Intent,
    Quarantine,
    Quarantined,
    held,
    next_try,
)
from treaty.messaging.tries import handler_of, missing_of
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


class Overtaken(Exception):
    """Another owner has changed the message since this one read it, so this one must read the key again."""


class Release:
    """Tries the messages of one partition again. It reads each from the store just before it is handled.

    So an owner that was frozen handles no message that another owner has removed, discarded or edited by then, and its
    late writes change nothing. `handle` may take only so long, and raises exceptions only.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        queue: str,
        handle: Callable[[Envelope], Awaitable[None]],
        *,
        breakers: Breakers,
        surroundings: Surroundings,
    ) -> None:
        self._quarantine, self._queue, self._handle = quarantine, queue, handle
        self._breakers = breakers
        self._clock, self._probe = surroundings.clock, surroundings.probe

    async def carry_out(self, items: Sequence[Held]) -> list[Held]:
        """Discards and edits as people have requested; returns the messages that are left to try.

        Raises:
            Overtaken, StoreAway
        """
        return [item for item in items if not item.asked or await self._prepared(await self._read(item)) is not None]

    async def attempt(self, item: Held) -> Held | None:
        """Handles a message once. Returns None if it has left the quarantine, or else the message as it is now.

        Raises:
            Overtaken, StoreAway
        """
        known = await self._prepared(await self._read(item))
        if known is None:
            return None
        self._probe.reach("quarantine.releasing")
        try:
            await self._handle(known.event())
        except Exception as error:
            again = self._failed_again(known, error)
            self._note_breakers(known, again)
            await self._update(known, again)
            await self._answer(known, f"failed again: {error_name(error)}")
            return held(replace(again, intent=None))
        self._breakers.succeeded(known.missing)
        self._breakers.succeeded(handler_of(known.envelope.type))
        await self._answer(known, "took effect")
        self._probe.reach("quarantine.handled")
        await self._remove(replace(known, intent=None))
        self._probe.count("treaty.quarantine.released", queue=self._queue)
        logger.info("a message left quarantine", id=known.id)
        return None

    def _note_breakers(self, known: Quarantined, again: Quarantined) -> None:
        """Records what a failure shows to be away, and that the handler does not hang if it came to an end."""
        handler = handler_of(known.envelope.type)
        if again.missing:
            self._breakers.failed(again.missing)
        if again.missing != handler:
            self._breakers.succeeded(handler)

    async def answer_behind(self, item: Held, first: Held) -> Held:
        """Answers the intent for a message that has to wait behind another one; returns it without the intent."""
        if item.asked:
            await self._answer(await self._read(item), f"waits behind {first.id}")
        return replace(item, asked=False)

    async def _read(self, item: Held) -> Quarantined:
        known = await self._quarantine.get(item.id)
        if known is None or known.discarded:
            raise Overtaken(f"another owner has removed or discarded {item.id}")
        return known

    async def _prepared(self, known: Quarantined) -> Quarantined | None:
        """Carries out the part of an intent that comes before the next try; returns None if it discards the message."""
        if known.intent is None:
            return known
        new = replace(known, attempts=0)
        match known.intent.action:
            case "discard":
                discarded = replace(known, discarded=known.intent.reason or "discarded", next_try=None)
                await self._update(known, discarded)
                await self._answer(known, "discarded")
                logger.warning("a message was discarded", id=known.id, reason=known.intent.reason)
                return None
            case "retry":
                return known
            case "edit":
                new = replace(new, envelope=replace(known.envelope, body=known.intent.body))
                if new.envelope.body != known.envelope.body:
                    edited = self._answered(known, known.intent, "edited", before=known.envelope.body)
                    await self._quarantine.note(edited)
        if new != known:
            await self._update(known, new)
        return new

    async def _update(self, known: Quarantined, new: Quarantined) -> None:
        if not await self._quarantine.update(known, new):
            raise Overtaken(f"another owner has changed {known.id}")

    async def _remove(self, known: Quarantined) -> None:
        """Removes a message that took effect; answers the intent that a person has left meanwhile."""
        while not await self._quarantine.remove(known):
            found = await self._quarantine.get(known.id)
            if found is None:
                return
            if found.intent is None or found.discarded:
                raise Overtaken(f"another owner has changed {known.id}")
            await self._answer(found, "took effect")
            known = replace(found, intent=None)

    async def _answer(self, item: Quarantined, outcome: str) -> None:
        """Keeps the outcome of a person's intent, if there was one."""
        if item.intent is not None:
            await self._quarantine.answer(self._answered(item, item.intent, outcome))

    def _answered(self, item: Quarantined, intent: Intent, outcome: str, *, before: bytes = b"") -> Answered:
        return Answered(message=item.id, intent=intent, at=self._clock.now(), outcome=outcome, before=before)

    def _failed_again(self, item: Quarantined, error: Exception) -> Quarantined:
        """Returns a message with one attempt more. If the failure is not its fault, it never comes to a person by this.

        A dependency that is away counts a few times, so that the pauses grow. A message that only a deploy can help
        is tried by every new owner, however many there were.
        """
        attempts = item.attempts + (not isinstance(error, NeedsDeploy))
        if isinstance(error, DependencyAway):
            attempts = max(item.attempts, min(attempts, AWAY_AT_MOST))
        return failed(replace(item, attempts=attempts, waits_for=""), error, self._clock.now())


def failed(item: Quarantined, error: Exception, now: datetime) -> Quarantined:
    """Returns a message with the error that it failed with, and the time of its next try."""
    schema = isinstance(error, NeedsDeploy)
    attempts = min(item.attempts, AWAY_AT_MOST) if isinstance(error, DependencyAway) else item.attempts
    return replace(
        item,
        next_try=None if schema else next_try(attempts, now),
        error=error_name(error),
        detail=_storable("".join(traceback.format_exception(error))[-4000:]),
        schema=schema,
        missing=missing_of(error, item.envelope),
    )


def error_name(error: Exception) -> str:
    """Returns an error in one line."""
    return _storable(f"{type(error).__name__}: {error}"[:500])


def _storable(text: str) -> str:
    """Returns a text that no store refuses: an error may quote half of a surrogate pair."""
    return text.encode(errors="replace").decode()
