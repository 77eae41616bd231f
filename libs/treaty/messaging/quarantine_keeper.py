"""The partition owner's side of the quarantine: admits messages, holds their keys, releases them in order."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import Enum
from itertools import takewhile

import structlog

from treaty.concurrency.guarded import guarding
from treaty.dependencies import Breakers
from treaty.messaging.due_keys import DueKeys
from treaty.messaging.envelope import Envelope
from treaty.messaging.held_keys import HeldKeys
from treaty.messaging.quarantine import Header, Held, Quarantine, Quarantined, held, in_order
from treaty.messaging.quarantine_release import Release, failed
from treaty.messaging.replay_holds import ReplayHolds
from treaty.messaging.replays import Replays
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_COMPARE_EVERY, _COMPARE_EMPTY_EVERY = 10, 30
"""Looks after which the remembered number of messages is compared with the stored one, with messages and without."""

_IDLE_EVERY = 10
"""Looks after which the open replays are read, while there are none and the quarantine is empty."""

_RELEASES_AT_ONCE = 4
"""Keys that are released at the same time: few, so that messages of other keys are not slowed down much. Of large
messages, one at a time is in memory."""


class Verdict(Enum):
    """The decision on a delivery: handle the event, keep the message in quarantine, or only acknowledge it."""

    HANDLE = "handle"
    KEEP = "keep"
    PASS = "pass"  # noqa: S105 - no password


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
        breakers: Breakers,
        surroundings: Surroundings,
    ) -> None:
        self._quarantine, self._partition, self._queue = quarantine, partition, queue
        self._release = Release(quarantine, queue, handle, breakers=breakers, surroundings=surroundings)
        self._holds = ReplayHolds(replays, partition)
        self._clock, self._probe = surroundings.clock, surroundings.probe
        self._keys = HeldKeys()
        self._breakers, self._due = breakers, DueKeys(breakers)
        self._unsure: set[str] = set()
        self._deployed: set[str] = set()
        self._looks = 0
        self._turns, self._large = asyncio.Semaphore(_RELEASES_AT_ONCE), asyncio.Lock()
        self._next_order = 0

    async def open(self) -> None:
        """Reads which replays are open and which messages are in quarantine; before the first delivery."""
        await self._holds.look()
        self._holds.clear()
        self._keys = HeldKeys()
        self._due.clear()
        self._unsure.clear()
        self._deployed.clear()
        last = -1
        async for item in self._quarantine.held(self._partition):
            self._note(item)
            last = max(last, item.order)
            if item.schema:
                self._deployed.add(item.key)
        self._next_order = last + 1

    async def catch_up(self) -> None:
        """Adds keys that the store has by now; before the first delivery of a channel is handled.

        The broker may deliver to another consumer for a while after `open`, and that one may still keep messages.
        """
        new: set[str] = set()
        async for item in self._quarantine.held(self._partition):
            if item.key not in self._keys:
                new.add(item.key)
            if item.key in new:
                self._note(item)
                self._next_order = max(self._next_order, item.order + 1)

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
        held = self._holds.blocks(key) if replay else key in self._keys
        return Verdict.KEEP if held else Verdict.HANDLE

    async def learn(self, replay: str) -> None:
        """Reads whether a replay is open, before the first event that it delivers is judged.

        This owner may not know of it, because the server's clock went on and its lease ran out early.
        """
        await self._holds.learn(replay)

    def is_replaying(self, id: str) -> bool:
        """Returns whether a replay is under way in this partition."""
        return self._holds.is_open(id)

    async def end_replay(self, id: str) -> None:
        """Records that the partition has come to the end of a replay: nothing in it waits for that replay."""
        await self._holds.pass_by(id)

    async def look(self) -> None:
        """Reads which replays are open now, and compares the quarantine with the store now and then.

        While nothing is held, nothing can become due, so it looks rarely.
        """
        self._looks += 1
        if self._holds_something or self._looks % _IDLE_EVERY == 0:
            await self._holds.look()
        every = _COMPARE_EVERY if len(self._keys) else _COMPARE_EMPTY_EVERY
        if self._looks % every == 0 and not self._due:
            await self._compare()

    @property
    def _holds_something(self) -> bool:
        return bool(len(self._keys) or self._unsure or self._holds.any_open)

    async def _compare(self) -> None:
        """Finds the keys that are to be read again because the store has more or fewer of their messages.

        An owner that was frozen may have added a message late. The store may also have added one after this owner had
        given up to wait for it.
        """
        if await self._quarantine.size(self._partition) == len(self._keys):
            return
        counts = Counter([item.key async for item in self._quarantine.held(self._partition)])
        self._unsure |= self._keys.differing(counts)

    async def keep(
        self, envelope: Envelope, error: Exception | None, replay: str = "", *, raw: Sequence[Header] = ()
    ) -> None:
        """Keeps a message that failed, or that waits (no error). One that was discarded before stays discarded.

        Args:
            raw: the headers of a message that cannot be read.
        """
        new = self._quarantined(envelope, error, "" if replay and error else self._holds.waits_for(envelope, replay))
        new = replace(new, raw=tuple(raw))
        self._probe.reach("quarantine.adding")
        item = await self._added(new)
        self._probe.reach("quarantine.added")
        if item.discarded:
            return
        self._note(held(item))
        self._probe.count("treaty.quarantine.added", queue=self._queue)
        if new.waits_for:
            logger.info("a message waits for a replay", id=item.id, type=envelope.type, replay=new.waits_for)
            return
        logger.warning(
            "a message went to quarantine", id=item.id, type=envelope.type, error=new.error or "waits behind"
        )

    async def _added(self, item: Quarantined) -> Quarantined:
        """Adds a message; returns it as it is stored.

        If a message of another key has its id, both are kept: to acknowledge this one must not lose it.
        """
        while not await self._quarantine.add(item):
            known = await self._quarantine.get(item.id)
            if known is not None and known.key == item.key:
                return known
            if known is not None:
                item = replace(item, id=f"{item.id}/{item.key}")
        return item

    async def find_due(self) -> None:
        """Finds the keys to release now. Those that a person waits for come first, also while a dependency is away.

        A key is due in these cases:

        - the time of its next try has come
        - a person has left an intent
        - the message that it waited behind is gone: an owner may have ended in the middle of a release
        - the code may have been deployed since
        - the replay that it waited for is over
        - the store may have other messages of it than this owner remembers; then it is only read
        """
        self._probe.gauge("treaty.quarantine.size", len(self._keys), queue=self._queue)
        asked: Sequence[str] = ()
        due: Sequence[str] = ()
        if len(self._keys):
            asked = await self._quarantine.asked(self._partition)
            away = {*self._breakers.closed_to_all(), *self._due.on_trial()}
            due = await self._quarantine.due(self._partition, self._clock.now(), away=away)
        free = (item.key for item in self._keys.free())
        self._due.put(self._ready([*asked, *sorted(self._unsure)]), self._ready([*due, *sorted(self._deployed), *free]))

    def _ready(self, keys: Sequence[str]) -> Sequence[str]:
        return [key for key in keys if not self._waits_for_replay(self._keys.first(key))]

    def to_release(self) -> Sequence[str]:
        """Returns the next keys that are due, as many as may be released now."""
        return self._due.next(self._keys.first)

    async def release(self, key: str) -> None:
        """Handles the messages of a key, in order, until one fails, or has to wait for a replay."""
        try:
            with guarding():
                async with self._turns:
                    await self._release_in_turn(key)
        except Exception as away:
            self._unsure.add(key)
            logger.warning("a key stays in quarantine", key=key, error=str(away))
        finally:
            self._due.over(key)

    async def _release_in_turn(self, key: str) -> None:
        waiting = await self._read(key)
        if self._is_due(key, waiting):
            self._replace(key, await self._released(waiting))
            self._deployed.discard(key)

    async def _read(self, key: str) -> list[Held]:
        waiting = in_order([item async for item in self._quarantine.held(self._partition, key=key)])
        self._replace(key, waiting)
        self._unsure.discard(key)
        return waiting

    def _is_due(self, key: str, waiting: Sequence[Held]) -> bool:
        now = self._clock.now()
        asked = any(item.asked or (item.next_try is not None and item.next_try <= now) for item in waiting)
        return asked or key in self._deployed or any(not item.failed for item in waiting[:1])

    async def _released(self, waiting: Sequence[Held]) -> list[Held]:
        """Tries the messages of a key; returns those that are left."""
        ready = list(takewhile(lambda item: not self._waits_for_replay(item), waiting))
        left = list(waiting[len(ready) :])
        ready = await self._release.carry_out(ready)
        for index, item in enumerate(ready):
            if index and self._due.slow(item):
                return [*ready[index:], *left]  # found again when it may be slow
            async with self._large if item.large else contextlib.nullcontext():
                kept = await self._release.attempt(item)
            if kept is not None:
                behind = [await self._release.answer_behind(later, kept) for later in ready[index + 1 :]]
                return [kept, *behind, *left]
        return left

    def _waits_for_replay(self, item: Held | None) -> bool:
        return item is not None and self._holds.is_open(item.waits_for)

    def _note(self, item: Held) -> None:
        self._keys.note(item)
        self._holds.note(item)

    def _replace(self, key: str, items: Sequence[Held]) -> None:
        self._keys.replace(key, items)
        self._holds.replace(key, items)

    def _quarantined(self, envelope: Envelope, error: Exception | None, waits_for: str) -> Quarantined:
        now = self._clock.now()
        item = Quarantined(
            id=envelope.key,
            partition=self._partition,
            key=envelope.partition_key,
            order=self._next_order,
            envelope=envelope,
            since=now,
            waits_for=waits_for,
        )
        self._next_order += 1
        return item if error is None else failed(item, error, now)
