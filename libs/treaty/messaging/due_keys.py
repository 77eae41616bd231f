"""The keys of one partition that are to be released from quarantine, each in its turn."""

from collections.abc import Callable, Iterable, Sequence

from treaty.dependencies import Breakers
from treaty.messaging.quarantine import Held

_AT_ONCE = 16
"""Keys whose release stands in their lane, where other messages of these keys wait behind it."""


class DueKeys:
    """Remembers the keys that are due, and those whose release has begun and is not over yet."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers
        self._due: dict[str, bool] = {}
        self._begun: set[str] = set()

    def __bool__(self) -> bool:
        """Returns whether a release has begun and is not over yet."""
        return bool(self._begun)

    def clear(self) -> None:
        self._due.clear()
        self._begun.clear()

    def put(self, in_any_case: Iterable[str], others: Iterable[str]) -> None:
        """Replaces the keys that are due; the first ones are released also while a dependency is away."""
        due = dict.fromkeys(in_any_case, True)
        due.update((key, False) for key in others if key not in due)
        self._due = {key: always for key, always in due.items() if key not in self._begun}

    def next(self, first: Callable[[str], Held | None]) -> Sequence[str]:
        """Begins the release of as many keys as may be released now. `first` returns the first message of a key.

        While a dependency is away, one key at a time tries it; the others are found again later.
        """
        chosen = []
        while self._due and len(self._begun) < _AT_ONCE:
            key, always = next(iter(self._due.items()))
            del self._due[key]
            item = first(key)
            if always or item is None or self._breakers.admit(item.missing):
                chosen.append(key)
                self._begun.add(key)
        return chosen

    def over(self, key: str) -> None:
        """Records the end of a release."""
        self._begun.discard(key)
