"""Places: a newcomer finds one at once, at the cost of the sender that has the most."""

from treaty.concurrency.places import Place, Places


class _Hall:
    """Places whose work is a name, and the names of the work that had to give up."""

    def __init__(self, most: int, each: int | None = None) -> None:
        self.places, self.ended = Places(most, each), list[str]()

    def enter(self, name: str) -> Place:
        """Enters for a sender, which is the first letter of the name."""
        return self.places.enter(name[0], lambda: self.ended.append(name))


def test_a_newcomer_takes_the_eldest_place_of_the_sender_with_the_most() -> None:
    hall = _Hall(4)
    for name in ("b1", "a1", "a2", "a3", "c1", "b2"):
        hall.enter(name)
    assert hall.ended == ["a1", "a2"]
    assert len(hall.places) == 4


def test_a_sender_at_its_share_gives_up_a_place_of_its_own() -> None:
    hall = _Hall(4, 2)
    for name in ("a1", "a2", "a3", "b1"):
        hall.enter(name)
    assert hall.ended == ["a1"]
    assert len(hall.places) == 3


def test_a_place_that_was_left_is_free_once() -> None:
    hall = _Hall(2)
    first, second = hall.enter("a1"), hall.enter("a2")
    hall.enter("a3")
    for place in (first, second, second):
        hall.places.leave(place)
    assert (hall.ended, len(hall.places)) == (["a1"], 1)
    hall.enter("a4")
    assert hall.ended == ["a1"]


def test_there_is_room_for_a_sender_only_beside_those_that_have_no_more() -> None:
    hall = _Hall(3)
    for name in ("a1", "a2", "b1"):
        assert hall.places.has_room(name[0])
        hall.enter(name)
    assert [hall.places.has_room(sender) for sender in "abc"] == [False, False, True]
    hall.enter("c1")
    assert hall.ended == ["a1"]
    assert [hall.places.has_room(sender) for sender in "abcd"] == [False, False, False, False]
    assert not Places(0).has_room("a")
