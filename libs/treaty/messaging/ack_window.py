"""The messages of one channel that are not acknowledged yet, and how those that are finished are acknowledged."""

from collections import deque
from collections.abc import Sequence


class AckWindow:
    """Finds the fewest acknowledgements for what is finished.

    All messages up to the first that is not finished need one together. A finished message behind an unfinished one
    gets its own: it would otherwise take room in the prefetch of the channel as long as that one lasts.
    """

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._alone: set[int] = set()
        self._finished: set[int] = set()

    def deliver(self, tag: int) -> None:
        """Adds a message, in the order of the deliveries."""
        self._open.append(tag)

    def finish(self, tag: int) -> None:
        self._finished.add(tag)

    def due(self) -> Sequence[tuple[int, bool]]:
        """Returns the tags to acknowledge now, each with whether it stands for all open messages before it too."""
        finished, self._finished = self._finished, set()
        last, count = 0, 0
        while self._open and (self._open[0] in finished or self._open[0] in self._alone):
            tag = self._open.popleft()
            if tag in finished:
                finished.discard(tag)
                last, count = tag, count + 1
            self._alone.discard(tag)
        self._alone |= finished
        return [*([(last, count > 1)] if count else []), *((tag, False) for tag in sorted(finished))]
