"""Decides which live events of a partition must wait for an open replay, and which replayed events need not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import Held
from treaty.messaging.replays import Replay, Replays


@dataclass(slots=True)
class _Key:
    """The state of one key in quarantine. `first` has, by source, the sequence of the first event that waits."""

    replay: str = ""
    blocked: bool = False
    first: dict[str, str] = field(default_factory=dict)


class ReplayHolds:
    """The open replays, and the events that wait for them, as the partition's owner keeps them."""

    def __init__(self, replays: Replays, partition: int) -> None:
        self._replays, self._partition = replays, partition
        self._open: dict[str, Replay] = {}
        self._passed: set[str] = set()
        self._over: set[str] = set()
        self._learning = asyncio.Lock()
        self._keys: dict[str, _Key] = {}

    @property
    def any_open(self) -> bool:
        """Whether a replay is under way in this partition."""
        return bool(self._open)

    async def look(self) -> None:
        """Reads which replays are open, and only then records that this partition holds live events for them."""
        found = [replay for replay in await self._replays.open() if self._partition not in replay.passed]
        self._open = {replay.id: replay for replay in found if replay.id not in self._passed}
        for replay in list(self._open.values()):
            if self._partition not in replay.holding:
                await self._replays.hold(replay.id, self._partition)

    async def learn(self, id: str) -> None:
        """Reads whether a replay is open that this partition knows nothing of; a replay that is over stays over."""
        async with self._learning:
            if id in self._open or id in self._passed or id in self._over:
                return
            await self.look()
            if id not in self._open:
                self._over.add(id)

    async def pass_by(self, id: str) -> None:
        """Records that the end of a replay has come: nothing in this partition waits for it."""
        await self._replays.passed(id, self._partition)
        self._passed.add(id)
        self._open.pop(id, None)

    def is_open(self, id: str) -> bool:
        """Returns whether the replay is under way in this partition."""
        return id in self._open

    def waits_for(self, envelope: Envelope, replay: str) -> str:
        """Returns the replay that an event has to wait for, or nothing.

        A live one waits if it is of the kind that is replayed, or comes behind one on its key. A replayed one
        (`replay`) waits only if it is not older than all that waits of its source: it is, or follows, one of those.
        """
        key = self._keys.get(envelope.partition_key, _Key())
        if replay:
            first = key.first.get(envelope.source)
            return replay if first is not None and envelope.sequence >= first else ""
        matching = next((known.id for known in self._open.values() if known.wants(envelope)), "")
        return matching or ("" if key.blocked else key.replay)

    def blocks(self, key: str) -> bool:
        """Returns whether a message of the key is in quarantine for another reason than a replay."""
        return key in self._keys and self._keys[key].blocked

    def clear(self) -> None:
        """Removes the state of all keys."""
        self._keys = {}

    def note(self, item: Held) -> None:
        """Adds a message that is in quarantine."""
        key = self._keys.setdefault(item.key, _Key())
        if not item.waits_for:
            key.blocked = True
            return
        key.replay = item.waits_for
        key.first[item.source] = min(item.sequence, key.first.get(item.source, item.sequence))

    def replace(self, key: str, items: Sequence[Held]) -> None:
        """Replaces the state of a key by the messages that are left after a release."""
        self._keys.pop(key, None)
        for item in items:
            self.note(item)
