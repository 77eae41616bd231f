"""The keys of one partition that have messages in quarantine, as the partition's owner remembers them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from treaty.messaging.quarantine import Held, in_order


@dataclass(slots=True)
class _Key:
    """The first message that is to be handled, the number of messages, and the highest order among them."""

    first: Held
    count: int
    last: int


class HeldKeys:
    """Remembers one message and a count for each key, however many messages of the key are in quarantine."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._free: set[str] = set()
        self._size = 0

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        """Returns the number of messages."""
        return self._size

    def differing(self, counts: Mapping[str, int]) -> set[str]:
        """Returns the keys that have another number of messages than in `counts`."""
        keys = self._keys.keys() | counts.keys()
        return {key for key in keys if counts.get(key, 0) != (self._keys[key].count if key in self._keys else 0)}

    def first(self, key: str) -> Held | None:
        """Returns the message of a key that is to be handled first."""
        return self._keys[key].first if key in self._keys else None

    def free(self) -> Iterator[Held]:
        """Yields the first message of each key where that message has not failed: it waits behind no other."""
        return (self._keys[key].first for key in self._free)

    def note(self, item: Held) -> None:
        """Adds a message, in the order of arrival; one that was added before changes nothing."""
        known = self._keys.get(item.key)
        if known is None:
            self._set(item.key, _Key(item, 1, item.order))
        elif item.order > known.last:
            earlier = item.source == known.first.source and item.sequence < known.first.sequence
            self._set(item.key, _Key(item if earlier else known.first, known.count + 1, item.order))

    def replace(self, key: str, items: Sequence[Held]) -> None:
        """Replaces the messages of a key by those that are left."""
        known = None
        if items:
            known = _Key(in_order(items)[0], len(items), max(item.order for item in items))
        self._set(key, known)

    def _set(self, key: str, new: _Key | None) -> None:
        old = self._keys.pop(key, None)
        self._size += (new.count if new else 0) - (old.count if old else 0)
        self._free.discard(key)
        if new is not None:
            self._keys[key] = new
            if not new.first.failed:
                self._free.add(key)
