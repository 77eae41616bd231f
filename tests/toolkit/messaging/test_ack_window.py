"""Acknowledgements: each message once, and none before it is finished."""

from hypothesis import given
from hypothesis import strategies as st
from treaty.messaging.ack_window import AckWindow

STEPS = st.lists(st.integers(0, 40), max_size=120)
"""Each number is a delivery (0), a look at what is due (1), or the end of one of the open messages."""


@given(steps=STEPS)
def test_only_finished_messages_are_acknowledged_and_each_once(steps: list[int]) -> None:
    window, delivered = AckWindow(), 0
    open_ones, finished, unacknowledged = list[int](), set[int](), set[int]()

    def look() -> None:
        for tag, multiple in window.due():
            covered = {one for one in unacknowledged if one == tag or (multiple and one < tag)}
            assert tag in covered
            assert covered <= finished
            unacknowledged.difference_update(covered)
        assert not unacknowledged & finished

    for step in steps:
        if step == 0:
            delivered += 1
            open_ones.append(delivered)
            unacknowledged.add(delivered)
            window.deliver(delivered)
        elif step == 1:
            look()
        elif open_ones:
            tag = open_ones.pop(step % len(open_ones))
            finished.add(tag)
            window.finish(tag)
    look()


def test_a_finished_prefix_needs_one_acknowledgement() -> None:
    window = AckWindow()
    for tag in range(1, 7):
        window.deliver(tag)
    for tag in (2, 4, 5):
        window.finish(tag)
    assert window.due() == [(2, False), (4, False), (5, False)]
    window.finish(1)
    assert window.due() == [(1, False)]
    window.finish(3)
    window.finish(6)
    assert window.due() == [(6, True)]
    assert window.due() == []
