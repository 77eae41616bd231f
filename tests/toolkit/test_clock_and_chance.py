"""The ports to the outside world."""

from datetime import UTC
from itertools import pairwise

from treaty.chance import RandomChance, backoff
from treaty.clock import SystemClock


def test_a_pause_doubles_up_to_a_bound_and_stays_there_for_ever() -> None:
    pauses = [backoff(tries, 0.02, 1.0) for tries in range(20)]
    assert pauses[:3] == [0.02, 0.04, 0.08]
    assert all(earlier <= later for earlier, later in pairwise(pauses))
    assert backoff(1_000_000, 0.02, 1.0) == 1.0


def test_jitter_stays_within_a_half_and_one_and_a_half() -> None:
    jitter = RandomChance().jitter
    assert all(0.5 <= jitter(1.0) <= 1.5 for _ in range(1000))
    assert len({jitter(1.0) for _ in range(100)}) > 1


def test_the_clock_keeps_what_the_store_keeps() -> None:
    now = SystemClock().now()
    assert now.microsecond % 1000 == 0
    assert now.tzinfo is UTC
