"""The keys of one partition that are to be released from quarantine, each in its turn."""

from collections.abc import Callable, Collection, Iterable, Sequence

from treaty.dependencies import Breakers
from treaty.messaging.quarantine import Held
from treaty.messaging.tries import handler_of

_AT_ONCE = 8
"""Keys whose release stands in their lane, where other messages of these keys wait behind it."""

_SLOW_AT_ONCE = 3
"""Those of them whose release may take long: fewer than are released at the same time, so that others have a turn."""

_HUNG, _OF_A_HUNG_TYPE = "\0hung", "\0of a type that hangs"


class DueKeys:
    """Remembers the keys that are due, and those whose release has begun and is not over yet.

    A release may take long if the message waits for a dependency that is away, if its handler hung at its last try, or
    if the handler hung for other messages of its type. One of each is under way at a time.
    """

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers
        self._due: dict[str, bool] = {}
        self._begun: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Returns whether a release has begun and is not over yet."""
        return bool(self._begun)

    def on_trial(self) -> Collection[str]:
        """Returns the dependencies that are away and that a release tries now, however long that takes."""
        return {slow for slow in self._begun.values() if slow not in ("", _HUNG, _OF_A_HUNG_TYPE)}

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

        Those that have to wait because others are slow are found again later.
        """
        chosen = []
        slow = {kind for kind in self._begun.values() if kind}
        while self._due and len(self._begun) < _AT_ONCE:
            key, always = next(iter(self._due.items()))
            del self._due[key]
            kind = self.slow(first(key))
            if always or not kind or self._may_try(kind, slow):
                chosen.append(key)
                self._begun[key] = kind
                slow |= {kind} - {""}
        return chosen

    def slow(self, item: Held | None) -> str:
        """Returns why the release of a message may take long: the dependency that is away, or how its handler hangs."""
        if item is None:
            return ""
        handler = handler_of(item.type)
        if item.missing == handler:
            return _HUNG
        if self._breakers.is_open(handler):
            return _OF_A_HUNG_TYPE
        return item.missing if self._breakers.is_open(item.missing) else ""

    def over(self, key: str) -> None:
        """Records the end of a release."""
        self._begun.pop(key, None)

    def _may_try(self, kind: str, slow: Collection[str]) -> bool:
        if kind in slow or len(slow) >= _SLOW_AT_ONCE:
            return False
        return kind in (_HUNG, _OF_A_HUNG_TYPE) or self._breakers.admit(kind)
