"""The prefetch of a partition follows the size of its messages."""

from treaty.rabbit.size_limit import SizeLimit
from treaty.rabbit.window import BUDGET, Window

MB = 1 << 20


def _feed(window: Window, *sizes: int) -> list[int]:
    """Gives messages to a window; returns the prefetch of each channel that has to be opened."""
    return [window.count for size in sizes if not window.admits(size)]


def test_small_messages_change_nothing() -> None:
    window = Window(128)
    assert _feed(window, *[1000] * 10_000) == []
    assert window.count == 128


def test_a_large_message_narrows_the_window_until_such_messages_fit_into_the_budget() -> None:
    window = Window(128)
    assert _feed(window, 1000, 1 * MB, 1 * MB) == [32]
    assert window.count * MB <= BUDGET
    assert _feed(window, 4 * MB, 3 * MB, 4 * MB) == [8]


def test_two_messages_are_admitted_however_large_they_are() -> None:
    window = Window(128)
    assert _feed(window, 17 * MB, 100 * MB, 17 * MB) == [2]


def test_the_window_is_wide_again_when_no_large_message_has_come_for_a_while() -> None:
    window = Window(128)
    assert _feed(window, 17 * MB) == [2]
    assert _feed(window, *[1000] * 255) == []
    assert _feed(window, 1000) == [128]


def test_a_large_message_now_and_then_keeps_the_window_narrow() -> None:
    window = Window(128)
    assert _feed(window, 17 * MB) == [2]
    assert _feed(window, *([1000] * 100 + [17 * MB]) * 50) == []


def test_the_limit_of_the_broker_is_remembered_for_a_while() -> None:
    limit = SizeLimit()
    assert not limit.refuses(5 * MB, now=0.0)
    limit.learn(ValueError("PRECONDITION_FAILED - message size 5 is larger than configured max size 4194304"), now=0.0)
    assert "max_message_size of 4194304" in limit.refuses(5 * MB, now=1.0)
    assert not limit.refuses(4 * MB, now=1.0)
    assert not limit.refuses(5 * MB, now=3600.0), "it may have been raised"


def test_another_error_of_the_broker_says_nothing_about_sizes() -> None:
    limit = SizeLimit()
    limit.learn(ConnectionError("reset by peer"), now=0.0)
    assert not limit.refuses(100 * MB, now=0.0)
