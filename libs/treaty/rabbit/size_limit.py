"""The largest message that the broker accepts, as far as it has said so."""

import re

_KNOWN_SECONDS = 600.0
"""Seconds until the limit is tried again: it may have been raised."""


class SizeLimit:
    """The broker's `max_message_size`. It closes the channel when a message is larger, for all that use the channel.

    So the limit is remembered, and a larger message is not sent.
    """

    def __init__(self) -> None:
        self._bytes, self._until = 0, 0.0

    def learn(self, error: Exception, now: float) -> None:
        """Reads the limit from the error with which the broker has closed a channel, if it names one."""
        found = re.search(r"message size \d+ is larger than .*?max size (\d+)", str(error))
        if found is not None:
            self._bytes, self._until = int(found[1]), now + _KNOWN_SECONDS

    def refuses(self, size: int, now: float) -> str:
        """Returns why a message of this size is not accepted, or nothing."""
        if now >= self._until or size <= self._bytes:
            return ""
        return f"its body of {size} bytes is larger than the broker's max_message_size of {self._bytes}"
