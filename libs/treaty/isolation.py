"""One partition's part of the quarantine, in the hands of the partition's owner: what goes in, and what comes out."""

import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from treaty.envelope import Envelope
from treaty.ports import Clock
from treaty.probes import Probe
from treaty.quarantine import Quarantine, Quarantined, next_try

log = structlog.get_logger()


class Isolation:
    """Keeps keys whose messages cannot be handled. Everything about one key is called from that key's lane.

    Args:
        handle: handles one event, once.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        partition: int,
        queue: str,
        handle: Callable[[Envelope], Awaitable[None]],
        *,
        clock: Clock,
        probe: Probe,
    ) -> None:
        self._quarantine, self._partition, self._queue = quarantine, partition, queue
        self._handle = handle
        self._clock, self._probe = clock, probe
        self._held: set[str] = set()
        self._releasing: set[str] = set()
        self._next_order = 0

    def holds(self, key: str) -> bool:
        """Tells whether a message of the key is in quarantine, so that what follows must go there too."""
        return key in self._held

    async def load(self) -> None:
        """Learns what is in quarantine; before the first delivery."""
        items = await self._quarantine.held(self._partition)
        self._releasing.clear()
        self._held = {item.key for item in items}
        self._next_order = max((item.order for item in items), default=-1) + 1

    async def put(self, envelope: Envelope, error: Exception | None) -> None:
        """Keeps a message that failed, or that waits behind one (no error). One that was discarded stays so."""
        item = self._quarantined(envelope, error)
        self._probe.reach("quarantine.adding")
        await self._quarantine.add(item)
        self._probe.reach("quarantine.added")
        known = await self._quarantine.get(item.id)
        if known is not None and known.discarded:
            return
        self._held.add(envelope.partition_key)
        self._next_order += 1
        self._probe.count("treaty.quarantine.added", queue=self._queue)
        log.warning("a message went to quarantine", id=item.id, type=envelope.type, error=item.error or "waits behind")

    async def due(self) -> Sequence[str]:
        """Returns the keys to release now: their time has come, a person has left an intent, or what they waited behind
        is gone, as after an owner that ended in the middle of a release.
        """
        items = await self._quarantine.held(self._partition)
        self._probe.gauge("treaty.quarantine.size", len(items), queue=self._queue)
        now = self._clock.now()
        due = {item.key for item in items if item.intent or (item.next_try and item.next_try <= now)}
        due |= {item.key for item in _first_of_keys(items) if not item.error}
        new = due - self._releasing
        self._releasing |= new
        return sorted(new)

    async def release(self, key: str) -> None:
        """Handles what waits on a key, in order, until one fails."""
        try:
            waiting = [item for item in await self._quarantine.held(self._partition) if item.key == key]
            for item in waiting:
                if _to_discard(item):
                    await self._discard(item)
            if await self._release_all([item for item in waiting if not _to_discard(item)]):
                self._held.discard(key)
        except Exception as away:
            log.warning("a key stays in quarantine", key=key, error=str(away))
        finally:
            self._releasing.discard(key)

    async def _discard(self, item: Quarantined) -> None:
        reason = item.intent.reason if item.intent else ""
        await self._quarantine.update(replace(item, discarded=reason or "discarded", next_try=None))
        log.warning("a message was discarded", id=item.id, reason=reason)

    async def _release_all(self, items: Sequence[Quarantined]) -> bool:
        """Releases items until one fails; then a retry that was asked for one behind it has been answered too."""
        for index, item in enumerate(items):
            if not await self._release_one(item):
                for behind in items[index + 1 :]:
                    if behind.intent:
                        await self._quarantine.update(replace(behind, intent=None))
                return False
        return True

    async def _release_one(self, item: Quarantined) -> bool:
        self._probe.reach("quarantine.releasing")
        try:
            await self._handle(item.envelope)
        except Exception as error:
            await self._quarantine.update(self._failed_again(item, error))
            return False
        self._probe.reach("quarantine.handled")
        await self._quarantine.remove(item.id)
        self._probe.count("treaty.quarantine.released", queue=self._queue)
        log.info("a message left quarantine", id=item.id)
        return True

    def _quarantined(self, envelope: Envelope, error: Exception | None) -> Quarantined:
        now = self._clock.now()
        return Quarantined(
            id=f"{envelope.producer}/{envelope.id}",
            partition=self._partition,
            key=envelope.partition_key,
            order=self._next_order,
            envelope=envelope,
            since=now,
            error=_name(error),
            detail=_detail(error),
            next_try=next_try(0, now) if error is not None else None,
        )

    def _failed_again(self, item: Quarantined, error: Exception) -> Quarantined:
        attempts = item.attempts + 1
        return replace(
            item,
            attempts=attempts,
            next_try=next_try(attempts, self._clock.now()),
            error=_name(error),
            detail=_detail(error),
            intent=None,
        )


def _first_of_keys(items: Sequence[Quarantined]) -> Iterable[Quarantined]:
    """Returns the first item of each key; `items` are in order."""
    first: dict[str, Quarantined] = {}
    for item in items:
        first.setdefault(item.key, item)
    return first.values()


def _to_discard(item: Quarantined) -> bool:
    return item.intent is not None and item.intent.action == "discard"


def _name(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"[:500]


def _detail(error: Exception | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))[-4000:]
