"""Holding leases: work goes on in place while nobody else claims the lease, and ends when somebody does."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest
from treaty.clock import SystemClock
from treaty.commits.log import StoreAway
from treaty.concurrency.tasks import Broken
from treaty.followers.leases import Lease, LeaseKeeper, LeaseLost, LeaseTaken
from treaty.memory.leases import MemoryLeases
from treaty.testing import eventually


class CountedLeases(MemoryLeases):
    """Leases whose renewals are counted; while `away`, none is answered, and with `late` each takes so many seconds."""

    renewals = 0
    away = False
    late = 0.0

    async def renew(self, owners: Mapping[str, str], seconds: float) -> Collection[str]:
        self.renewals += 1
        if self.away:
            raise StoreAway("not now")
        await asyncio.sleep(self.late)
        return await super().renew(owners, seconds)


@dataclass(slots=True)
class Scene:
    leases: CountedLeases = field(default_factory=lambda: CountedLeases(SystemClock()))
    held: list[Lease] = field(default_factory=list)

    def keeper(self, seconds: float = 0.2) -> LeaseKeeper:
        return LeaseKeeper(self.leases, seconds)

    async def work(self, lease: Lease) -> None:
        self.held.append(lease)
        await asyncio.Event().wait()


async def test_work_ends_with_its_lease_given_up() -> None:
    scene = Scene()

    async def work(lease: Lease) -> int:
        with pytest.raises(LeaseTaken):
            await scene.keeper().hold("p0", "bob", scene.work)
        return lease.epoch

    assert await scene.keeper().hold("p0", "ann", work) == 1
    assert not await scene.leases.holders()
    assert await scene.keeper().hold("p0", "ann again", work) == 2


async def test_one_request_renews_all_leases() -> None:
    scene = Scene()
    keeper = scene.keeper()
    tasks = [asyncio.create_task(keeper.hold(f"p{n}", f"ann#{n}", scene.work)) for n in range(5)]
    await eventually(lambda: len(scene.held) == 5)
    before = scene.leases.renewals
    first = {lease.name: lease.sure_until for lease in scene.held}
    await eventually(lambda: all(lease.sure_until > first[lease.name] for lease in scene.held))
    assert scene.leases.renewals - before <= 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not await scene.leases.holders()


async def test_a_store_that_cancels_from_within_does_not_end_the_renewals() -> None:
    scene = Scene()
    renew, cancelled = scene.leases.renew, list[Mapping[str, str]]()

    async def cancels(owners: Mapping[str, str], seconds: float) -> Collection[str]:
        if not cancelled:
            cancelled.append(owners)
            raise asyncio.CancelledError
        return await renew(owners, seconds)

    scene.leases.renew = cancels  # type: ignore[method-assign]
    holding = asyncio.create_task(scene.keeper().hold("p0", "ann", scene.work))
    await eventually(lambda: scene.leases.renewals >= 3)
    assert cancelled
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_work_that_was_cancelled_from_within_is_an_error() -> None:
    async def work(lease: Lease) -> None:
        raise asyncio.CancelledError

    with pytest.raises(Broken):
        await Scene().keeper().hold("p0", "ann", work)


async def test_a_lease_that_is_renewed_late_without_a_rival_is_kept() -> None:
    scene = Scene()
    holding = asyncio.create_task(scene.keeper().hold("p0", "ann", scene.work))
    await eventually(lambda: scene.held)
    [lease] = scene.held
    scene.leases.away = True
    await eventually(lambda: asyncio.get_running_loop().time() > lease.sure_until)
    starting = asyncio.create_task(lease.sure())
    await asyncio.sleep(0)
    assert not starting.done(), "nothing new is started while the lease is unsure"
    assert not await scene.leases.holders(), "it has expired"
    scene.leases.away = False
    await starting
    assert not holding.done()
    assert (await scene.leases.holders())["p0"].epoch == lease.epoch
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_a_rival_ends_the_work() -> None:
    scene = Scene()
    holding = asyncio.create_task(scene.keeper().hold("p0", "ann", scene.work))
    await eventually(lambda: scene.held)
    scene.leases.away = True
    assert await eventually(lambda: scene.leases.acquire("p0", "bob", 60)) == 2
    scene.leases.away = False
    with pytest.raises(LeaseLost, match="belongs to another"):
        await holding
    assert (await scene.leases.holders())["p0"].owner == "bob"


async def test_without_an_answer_for_long_the_lease_is_given_up() -> None:
    scene = Scene()
    holding = asyncio.create_task(scene.keeper().hold("p0", "ann", scene.work))
    await eventually(lambda: scene.held)
    scene.leases.away = True
    with pytest.raises(LeaseLost, match="may have it"):
        await holding
    assert asyncio.get_running_loop().time() > scene.held[0].sure_until + 0.2


async def test_a_process_that_was_frozen_asks_before_it_gives_up() -> None:
    scene = Scene()
    scene.leases.late = 0.05
    holding = asyncio.create_task(scene.keeper().hold("p0", "ann", scene.work))
    await eventually(lambda: scene.leases.renewals)
    time.sleep(1.0)  # noqa: ASYNC251 - the loop stands still in the middle of a renewal
    before = scene.leases.renewals
    await eventually(lambda: scene.leases.renewals > before)
    [lease] = scene.held
    await asyncio.wait_for(lease.sure(), 20)
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_one_lost_lease_leaves_the_others_alone() -> None:
    scene = Scene()
    keeper = scene.keeper()
    tasks = {name: asyncio.create_task(keeper.hold(name, f"ann {name}", scene.work)) for name in ("p0", "p1")}
    await eventually(lambda: len(scene.held) == 2)
    await scene.leases.release("p0", "ann p0")
    assert await scene.leases.acquire("p0", "bob", 60)
    with pytest.raises(LeaseLost):
        await tasks["p0"]
    assert not tasks["p1"].done()
    tasks["p1"].cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_a_lease_is_given_up_though_its_holder_is_cancelled_again_while_the_work_ends() -> None:
    scene = Scene()
    keeper, over = scene.keeper(), asyncio.Event()

    async def lingering(lease: Lease) -> None:
        scene.held.append(lease)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)  # until it is cancelled again
            over.set()
            raise

    holding = asyncio.create_task(keeper.hold("p0", "ann", lingering))
    await eventually(lambda: scene.held)
    for _ in range(2):
        holding.cancel()
        await asyncio.sleep(0.02)
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert over.is_set()
    assert keeper._held == {}
    assert await scene.keeper().hold("p0", "bob", _epoch) == 2


async def _epoch(lease: Lease) -> int:
    return lease.epoch
