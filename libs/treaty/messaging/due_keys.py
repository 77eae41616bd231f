"""The keys of one partition that are to be released from quarantine, each in its turn."""

from collections.abc import Callable, Collection, Iterable, Sequence

from treaty.dependencies import Breakers
from treaty.messaging.quarantine import Held
from treaty.messaging.tries import handler_of

_AT_ONCE = 8
"""Keys whose release stands in their lane, where other messages of these keys wait behind it."""


class DueKeys:
    """Remembers the keys that are due, and those whose release has begun and is not over yet."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers
        self._due: dict[str, bool] = {}
        self._begun: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Returns whether a release has begun and is not over yet."""
        return bool(self._begun)

    def on_trial(self) -> Collection[str]:
        """Returns the dependencies that are away and tried now, by the release of one key each."""
        return {missing for missing in self._begun.values() if missing and self._breakers.is_open(missing)}

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

        While a dependency is away, one key at a time tries it, however long that takes; the others are found again
        later.
        """
        chosen, on_trial = [], set(self.on_trial())
        while self._due and len(self._begun) < _AT_ONCE:
            key, always = next(iter(self._due.items()))
            del self._due[key]
            missing = self._missing(first(key))
            if always or (missing not in on_trial and self._breakers.admit(missing)):
                chosen.append(key)
                self._begun[key] = missing
                on_trial |= {missing} & set(self.on_trial())
        return chosen

    def _missing(self, item: Held | None) -> str:
        """Returns what a message needs that is away: what its last try missed, or its handler, if that hangs."""
        if item is None:
            return ""
        handler = handler_of(item.type)
        return handler if self._breakers.is_open(handler) else item.missing

    def over(self, key: str) -> None:
        """Records the end of a release."""
        self._begun.pop(key, None)
