"""Checks whether the majority follows the primary: a primary that is cut off still reports itself as writable."""

from collections.abc import Mapping
from typing import Any


class Majority:
    """Measures, from the answers to `hello`, for how long the majority has lagged.

    A write in flight is ahead of the majority too. So the majority lags only if, for `patience` seconds, it has not
    reached the primary's position.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._awaited: Any = None
        self._since = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether the majority had not reached the primary's position in the last answer."""
        return self._awaited is not None

    def lags(self, hello: Mapping[str, Any], now: float) -> bool:
        """Evaluates an answer to `hello` at the monotonic time `now`; returns whether the majority lags."""
        last = hello.get("lastWrite", {})
        primary, majority = (last.get(name, {}).get("ts") for name in ("opTime", "majorityOpTime"))
        if primary is None:  # not a member of a replica set, or a router
            return False
        if self._awaited is not None and majority is not None and majority >= self._awaited:
            self._awaited = None
        if self._awaited is None and (majority is None or majority < primary):
            self._awaited, self._since = primary, now
        return self._awaited is not None and now - self._since > self._patience
