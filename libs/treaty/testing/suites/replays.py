"""The contract of replays; memory and MongoDB pass the same suite."""

from dataclasses import replace
from datetime import timedelta

import pytest

from treaty.domain import Conflict
from treaty.messaging.replays import Replay
from treaty.service.stores import Stores
from treaty.testing.samples import NOON
from treaty.testing.suites.stores import OnStores


def replay(id: str, *, producer: str = "made.up", partitions: int = 2, minutes: int = 0) -> Replay:
    """Returns a new replay."""
    at = NOON + timedelta(minutes=minutes)
    return Replay(
        id=id,
        producer=producer,
        types=("made.up.v1.Happened",),
        partitions=partitions,
        reason="a new subscriber",
        by="ann",
        at=at,
    )


class ReplaysSuite(OnStores):
    """The contract tests of replays: override the fixture `stores`."""

    async def test_everything_about_a_replay_comes_back(self, stores: Stores) -> None:
        kept = replace(replay("1"), streams=("thing-1", "thing-2"), since=NOON, until=NOON + timedelta(hours=1))
        await stores.replays.add(kept)
        assert await stores.replays.get("1") == kept
        assert list(await stores.replays.open()) == [kept]
        assert await stores.replays.get("2") is None

    async def test_each_producer_has_one_that_is_open(self, stores: Stores) -> None:
        await stores.replays.add(replay("1"))
        await stores.replays.add(replay("2", producer="made.other"))
        with pytest.raises(Conflict):
            await stores.replays.add(replay("3"))
        assert await stores.replays.abandon("1")
        await stores.replays.add(replay("3"))
        assert sorted(known.id for known in await stores.replays.open()) == ["2", "3"]

    async def test_it_is_done_when_every_partition_has_passed_its_end(self, stores: Stores) -> None:
        await stores.replays.add(replay("1"))
        for partition in (0, 1, 1):
            await stores.replays.hold("1", partition)
        assert await stores.replays.deliver("1")
        for _ in range(2):
            await stores.replays.passed("1", 1)
        known = await stores.replays.get("1")
        assert known == replace(replay("1"), status="delivering", holding=frozenset({0, 1}), passed=frozenset({1}))
        await stores.replays.passed("1", 0)
        assert not await stores.replays.open()
        known = await stores.replays.get("1")
        assert known is not None
        assert known.status == "done"
        assert known.passed == {0, 1}
        await stores.replays.add(replay("2"))

    async def test_what_is_over_stays_over(self, stores: Stores) -> None:
        await stores.replays.add(replay("1"))
        await stores.replays.add(replay("2", producer="made.other", partitions=1))
        assert await stores.replays.abandon("1")
        await stores.replays.passed("1", 0)
        await stores.replays.passed("1", 1)
        await stores.replays.passed("2", 0)
        for id in ("1", "2", "unknown"):
            assert not await stores.replays.abandon(id)
            assert not await stores.replays.deliver(id)
        found = [await stores.replays.get(id) for id in ("1", "2")]
        assert [known.status for known in found if known] == ["abandoned", "done"]

    async def test_people_find_the_latest_first(self, stores: Stores) -> None:
        for n, minutes in enumerate((5, 30, 10)):
            await stores.replays.add(replay(str(n), producer=f"made.p{n}", minutes=minutes))
        assert [known.id for known in await stores.replays.find()] == ["1", "2", "0"]
        assert [known.id for known in await stores.replays.find(limit=1)] == ["1"]
