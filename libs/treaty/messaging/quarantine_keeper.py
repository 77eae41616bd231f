"""The partition owner's side of the quarantine: admits messages, holds their keys, releases them in order."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import Enum
from itertools import takewhile

import structlog

from treaty.commits.codec import NeedsDeploy
from treaty.dependencies import DependencyAway
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import (
    AWAY_AT_MOST,
    Answered,
    Intent,
    Quarantine,
    Quarantined,
    in_order,
    next_try,
)
from treaty.messaging.replay_holds import ReplayHolds
from treaty.messaging.replays import Replays
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


class Verdict(Enum):
    """The decision on a delivery: handle the event, keep the message in quarantine, or only acknowledge it."""

    HANDLE = "handle"
    KEEP = "keep"
    PASS = "pass"


class QuarantineKeeper:
    """Keeps the messages of one partition that cannot be handled, and those that wait for a replay.

    The consumer calls everything about one key from that key's lane.

    Args:
        handle: handles one event, once.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        replays: Replays,
        partition: int,
        queue: str,
        handle: Callable[[Envelope], Awaitable[None]],
        *,
        surroundings: Surroundings,
    ) -> None:
        self._quarantine, self._partition, self._queue = quarantine, partition, queue
        self._handle, self._holds = handle, ReplayHolds(replays, partition)
        self._clock, self._probe = surroundings.clock, surroundings.probe
        self._held: set[str] = set()
        self._releasing: set[str] = set()
        self._deployed: set[str] = set()
        self._next_order = 0

    async def open(self) -> None:
        """Reads which replays are open and what is in quarantine; before the first delivery."""
        await self._holds.look()
        items = await self._quarantine.held(self._partition)
        self._holds.load(items)
        self._releasing.clear()
        self._held = {item.key for item in items}
        self._deployed = {item.key for item in items if item.schema}
        self._next_order = max((item.order for item in items), default=-1) + 1

    def judge(self, envelope: Envelope, replay: str = "") -> Verdict:
        """Returns what to do with an event.

        An event is kept while an earlier one of its key is in quarantine, or while it has to wait for a replay. An
        event that a replay delivers does not wait behind those that wait for that replay; once the replay is over or
        abandoned, it is passed.
        """
        if replay and not self._holds.is_open(replay):
            return Verdict.PASS
        if self._holds.waits_for(envelope, replay):
            return Verdict.KEEP
        key = envelope.partition_key
        held = self._holds.blocks(key) if replay else key in self._held
        return Verdict.KEEP if held else Verdict.HANDLE

    def is_replaying(self, id: str) -> bool:
        """Returns whether a replay is under way in this partition."""
        return self._holds.is_open(id)

    async def end_replay(self, id: str) -> None:
        """Records that the partition has come to the end of a replay: nothing in it waits for that replay."""
        await self._holds.pass_by(id)

    async def look(self) -> None:
        """Reads which replays are open now."""
        await self._holds.look()

    async def keep(self, envelope: Envelope, error: Exception | None, replay: str = "") -> None:
        """Keeps a message that failed, or that waits (no error). One that was discarded before stays discarded."""
        item = self._quarantined(envelope, error, "" if replay and error else self._holds.waits_for(envelope, replay))
        self._probe.reach("quarantine.adding")
        await self._quarantine.add(item)
        known = await self._quarantine.get(item.id)
        if known is not None and known.key != item.key:
            # Another message has this id. Both are kept: acknowledging this one must not lose it.
            item = replace(item, id=f"{item.id}/{item.key}")
            await self._quarantine.add(item)
            known = await self._quarantine.get(item.id)
        self._probe.reach("quarantine.added")
        if known is not None and known.discarded:
            return
        self._held.add(envelope.partition_key)
        self._holds.note(known or item)
        self._next_order += 1
        self._probe.count("treaty.quarantine.added", queue=self._queue)
        if item.waits_for:
            logger.info("a message waits for a replay", id=item.id, type=envelope.type, replay=item.waits_for)
            return
        logger.warning(
            "a message went to quarantine", id=item.id, type=envelope.type, error=item.error or "waits behind"
        )

    async def due(self) -> Sequence[str]:
        """Returns the keys to release now.

        A key is due when the time of its next try has come, when a person has left an intent, when the message that
        it waited behind is gone (an owner may have ended in the middle of a release), when the code may have been
        deployed since, or when the replay that it waited for is over.
        """
        items = await self._quarantine.held(self._partition)
        self._probe.gauge("treaty.quarantine.size", len(items), queue=self._queue)
        now = self._clock.now()
        due = {item.key for item in items if item.intent or (item.next_try and item.next_try <= now)}
        first = _first_of_keys(items)
        due |= {item.key for item in first if not item.error} | self._deployed
        self._deployed = set()
        due -= {item.key for item in first if self._holds.is_open(item.waits_for)}
        new = due - self._releasing
        self._releasing |= new
        return sorted(new)

    async def release(self, key: str) -> None:
        """Handles what waits on a key, in order, until one fails, or has to wait for a replay."""
        try:
            waiting = in_order(await self._quarantine.held(self._partition, key=key))
            ready = list(takewhile(lambda item: not self._holds.is_open(item.waits_for), waiting))
            prepared = [await self._prepared(item) for item in ready]
            if await self._release_all([item for item in prepared if not item.discarded]):
                self._left(key, waiting[len(ready) :])
        except Exception as away:
            logger.warning("a key stays in quarantine", key=key, error=str(away))
        finally:
            self._releasing.discard(key)

    def _left(self, key: str, items: Sequence[Quarantined]) -> None:
        self._holds.left(key, items)
        if not items:
            self._held.discard(key)

    async def _prepared(self, item: Quarantined) -> Quarantined:
        """Carries out what a person asked for of one message, as far as that comes before the next try."""
        if item.intent is None:
            return item
        match item.intent.action:
            case "discard":
                discarded = replace(item, discarded=item.intent.reason or "discarded", next_try=None)
                await self._quarantine.update(discarded)
                await self._answer(item, "discarded")
                logger.warning("a message was discarded", id=item.id, reason=item.intent.reason)
                return discarded
            case "release":
                return replace(item, attempts=0)
            case "edit":
                edited = replace(item, attempts=0, envelope=replace(item.envelope, body=item.intent.body))
                await self._quarantine.note(self._answered(item, item.intent, "edited", before=item.envelope.body))
                await self._quarantine.update(edited)
                return edited
        return item

    async def _release_all(self, items: Sequence[Quarantined]) -> bool:
        """Releases items until one fails; then what was asked for of those behind it has been answered too."""
        for index, item in enumerate(items):
            if not await self._release_one(item):
                for behind in items[index + 1 :]:
                    await self._answer(behind, f"waits behind {item.id}")
                return False
        return True

    async def _release_one(self, item: Quarantined) -> bool:
        self._probe.reach("quarantine.releasing")
        try:
            await self._handle(item.envelope)
        except Exception as error:
            failed = self._failed_again(item, error)
            await self._quarantine.update(failed)
            self._holds.note(failed)
            await self._answer(item, f"failed again: {_name(error)}")
            return False
        await self._answer(item, "took effect")
        self._probe.reach("quarantine.handled")
        await self._quarantine.remove(item.id)
        self._probe.count("treaty.quarantine.released", queue=self._queue)
        logger.info("a message left quarantine", id=item.id)
        return True

    async def _answer(self, item: Quarantined, outcome: str) -> None:
        """Keeps what came of a person's intent, if there was one."""
        if item.intent is not None:
            await self._quarantine.answer(self._answered(item, item.intent, outcome))

    def _answered(self, item: Quarantined, intent: Intent, outcome: str, *, before: bytes = b"") -> Answered:
        return Answered(message=item.id, intent=intent, at=self._clock.now(), outcome=outcome, before=before)

    def _quarantined(self, envelope: Envelope, error: Exception | None, waits_for: str) -> Quarantined:
        now = self._clock.now()
        schema = isinstance(error, NeedsDeploy)
        return Quarantined(
            id=f"{envelope.producer}/{envelope.id}",
            partition=self._partition,
            key=envelope.partition_key,
            order=self._next_order,
            envelope=envelope,
            since=now,
            error=_name(error),
            detail=_detail(error),
            next_try=next_try(0, now) if error is not None and not schema else None,
            schema=schema,
            waits_for=waits_for,
        )

    def _failed_again(self, item: Quarantined, error: Exception) -> Quarantined:
        schema = isinstance(error, NeedsDeploy)
        attempts = item.attempts + 1
        if isinstance(error, DependencyAway):  # not the message's fault: it never comes to a person by this
            attempts = max(item.attempts, min(attempts, AWAY_AT_MOST))
        return replace(
            item,
            attempts=attempts,
            next_try=None if schema else next_try(attempts, self._clock.now()),
            error=_name(error),
            detail=_detail(error),
            schema=schema,
            waits_for="",
        )


def _first_of_keys(items: Sequence[Quarantined]) -> Sequence[Quarantined]:
    """Returns the item of each key that is to be handled first."""
    by_key: dict[str, list[Quarantined]] = {}
    for item in items:
        by_key.setdefault(item.key, []).append(item)
    return [in_order(own)[0] for own in by_key.values()]


def _name(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"[:500]


def _detail(error: Exception | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))[-4000:]
