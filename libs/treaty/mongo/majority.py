"""Whether the majority follows the primary: one that is cut off from the others still calls itself writable."""

from collections.abc import Mapping
from typing import Any


class Majority:
    """Learns from `hello` since when the majority lags.

    A write that is on its way is ahead of the majority too, so it only counts that the majority has not come, within
    `patience` seconds, to where the primary was.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._awaited: Any = None
        self._since = 0.0

    def lags(self, hello: Mapping[str, Any], now: float) -> bool:
        """Takes an answer that came at `now` (of a clock that never goes back), and tells whether the majority lags."""
        last = hello.get("lastWrite", {})
        primary, majority = (last.get(name, {}).get("ts") for name in ("opTime", "majorityOpTime"))
        if primary is None:  # a member of no replica set, or a router
            return False
        if self._awaited is not None and majority is not None and majority >= self._awaited:
            self._awaited = None
        if self._awaited is None and (majority is None or majority < primary):
            self._awaited, self._since = primary, now
        return self._awaited is not None and now - self._since > self._patience
