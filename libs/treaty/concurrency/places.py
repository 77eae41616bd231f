"""Places for work that waits for its sender, such as a request whose body has not arrived: bounded, and fair."""

from collections.abc import Callable


class Place:
    """A place in use. It is compared by identity."""

    __slots__ = ("give_up", "sender")

    def __init__(self, sender: str, give_up: Callable[[], None]) -> None:
        self.sender, self.give_up = sender, give_up


class Places:
    """A bounded number of places. A newcomer takes the eldest place of the sender that has the most of them.

    Work that is sent in one piece has its place for an instant. Therefore a sender that takes many places and keeps
    them loses its own, also behind a proxy, where all senders have one address.

    Args:
        most: the number of places.
        each: the most for one sender; by default all of them.
    """

    def __init__(self, most: int, each: int | None = None) -> None:
        self._most, self._each = most, most if each is None else each
        self._senders: dict[str, dict[Place, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def has_room(self, sender: str) -> bool:
        """Returns whether the sender can enter without taking a place of its own or of one that has fewer."""
        mine = len(self._senders.get(sender, ()))
        return mine < self._each and (self._count < self._most or mine + 1 < self._largest())

    def enter(self, sender: str, give_up: Callable[[], None]) -> Place:
        """Takes a place.

        Args:
            give_up: ends the work when another one takes the place.
        """
        if len(self._senders.get(sender, ())) >= self._each:
            self._free(sender)
        elif self._count >= self._most:
            self._free(max(self._senders, key=lambda name: len(self._senders[name])))
        place = Place(sender, give_up)
        self._senders.setdefault(sender, {})[place] = None
        self._count += 1
        return place

    def leave(self, place: Place) -> None:
        """Frees a place; has no effect if another one has taken it."""
        mine = self._senders.get(place.sender)
        if mine is None or place not in mine:
            return
        del mine[place]
        self._count -= 1
        if not mine:
            del self._senders[place.sender]

    def _largest(self) -> int:
        return max((len(places) for places in self._senders.values()), default=0)

    def _free(self, sender: str) -> None:
        eldest = next(iter(self._senders[sender]))
        self.leave(eldest)
        eldest.give_up()
