"""The prefetch of a partition: as many messages as fit into a budget of bytes.

AMQP counts the prefetch in messages, and RabbitMQ neither limits it in bytes nor changes it for a consumer that is
there. So the size of the messages decides with which prefetch the next channel of the partition is opened.
"""

BUDGET = 32 << 20
"""Bytes of unacknowledged messages for each partition. Two messages are always admitted, however large they are."""

_LEAST = 2
_WATCHED = 256
"""Messages without a large one, after which the prefetch is raised again."""


class Window:
    """The prefetch of one partition. It halves until messages of the size that was seen fit into the budget."""

    def __init__(self, most: int) -> None:
        self._most = self.count = most
        self._seen, self._largest = 0, 0

    def admits(self, size: int) -> bool:
        """Records the size of a message. Returns False if the channel has to be opened again, with another `count`."""
        self._seen += 1
        self._largest = max(self._largest, size)
        wanted = self._fitting(size)
        if wanted >= self.count:
            if self._seen < _WATCHED:
                return True
            wanted = self._fitting(self._largest)
            self._seen, self._largest = 0, 0
        if wanted == self.count:
            return True
        self.count, self._seen, self._largest = wanted, 0, 0
        return False

    def _fitting(self, size: int) -> int:
        count = self._most
        while count > _LEAST and count * size > BUDGET:
            count = max(count // 2, _LEAST)
        return count
