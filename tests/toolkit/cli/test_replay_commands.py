"""What `treaty replay` plans, carries out and shows, on stores in memory."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from commerce.ordering.v1 import ordering_events_pb2 as events
from treaty.cli import replay
from treaty.cli.context import Opened
from treaty.commits.commit import Outgoing
from treaty.memory.stores import MemoryStores
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import plain_commit
from treaty.testing.world import ManualClock, SeededChance, World, embedded

INVENTORY, ORDERING = "commerce.inventory", "commerce.ordering"
PLACED = f"{ORDERING}.v1.OrderPlaced"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[World]:
    async with embedded(INVENTORY, clock=clock) as world:
        yield world


@pytest.fixture
def inventory(world: World, clock: ManualClock) -> Opened:
    stores = world.stores[INVENTORY]
    ports = Ports(stores=stores, surroundings=Surroundings(clock=clock))
    return Opened(world.runner(INVENTORY).service, stores, ports, partitions=4)


def planned(inventory: Opened, **said: Any) -> Any:
    wish = {"types": (), "streams": (), "since": "", "until": "", "reason": "a test", "by": "ann", **said}
    return replay.planned(inventory, ORDERING, **wish)


async def ordering(clock: ManualClock, *ids: str) -> MemoryStores:
    """Returns the stores of Ordering, in which orders were placed."""
    stores = MemoryStores(Surroundings(clock=clock, chance=SeededChance()))
    for id in ids:
        placed = events.OrderPlaced(order_id=id)
        placed.lines.add(sku="LAMP", quantity=1)
        outgoing = Outgoing(type=PLACED, body=placed.SerializeToString(), time=clock.now(), cause=0)
        await stores.log.append(replace(plain_commit(f"order-{id}"), outbox=[outgoing], sequence=1))
    return stores


async def test_history_reaches_the_consumer_and_the_replay_is_listed(
    world: World, inventory: Opened, clock: ManualClock
) -> None:
    source = await ordering(clock, "o-1", "o-2", "o-3")
    wish = planned(inventory, streams=["order-o-1", "order-o-3"])
    found = await replay.replayed(inventory, source.log, world.broker, wish, environment="dev", seconds=20)
    assert found == {"id": wish.id, "delivered": 2, "left": [], "unreadable": []}
    commits = world.stores[INVENTORY].commits.commits
    causes = {cause.id for commit in commits for cause in commit.causes}
    assert {cause.partition("/OrderPlaced")[0] for cause in causes if cause.startswith(ORDERING)} == {
        f"{ORDERING}/order-{id}@1#1" for id in ("o-1", "o-3")
    }
    [row] = await replay.listed(inventory, 10)
    assert (row["producer"], row["status"], row["passed"], row["reason"]) == (ORDERING, "done", "4/4", "a test")


async def test_types_are_named_in_short_or_in_full_and_must_be_subscribed_to(inventory: Opened) -> None:
    assert PLACED in planned(inventory).types
    assert len(planned(inventory).types) > 1
    assert planned(inventory, types=["OrderPlaced"]).types == planned(inventory, types=[PLACED]).types == [PLACED]
    with pytest.raises(typer.Exit):
        planned(inventory, types=["OrderForgotten"])
    with pytest.raises(typer.Exit):
        replay.planned(
            inventory, "commerce.nowhere", types=(), streams=(), since="", until="", reason="a test", by="ann"
        )


async def test_moments_are_read(inventory: Opened) -> None:
    wish = planned(inventory, since="2026-07-01T12:00:00Z", until="2026-07-02")
    assert wish.since == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert wish.until == datetime(2026, 7, 2, tzinfo=UTC)
    with pytest.raises(typer.Exit):
        planned(inventory, since="yesterday")


async def test_what_is_left_is_told_with_the_way_to_go_on() -> None:
    told = replay._told(INVENTORY, {"id": "r-1", "delivered": 3, "left": [1, 2], "unreadable": []})
    assert "p1, p2 did not come to the end yet" in told
    assert f"treaty replay abandon {INVENTORY} r-1" in told


async def test_an_event_that_the_broker_refuses_leaves_the_replay_to_a_person(
    world: World, inventory: Opened, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    source = await ordering(clock, "o-1")
    await eventually(lambda: world.runner(INVENTORY).ready)
    world.broker.refused.add("order-o-1@1#1")
    wish = planned(inventory)
    with pytest.raises(typer.Exit):
        await replay.replayed(inventory, source.log, world.broker, wish, environment="dev", seconds=20)
    assert f"treaty replay abandon {INVENTORY} {wish.id}" in capsys.readouterr().err
    [row] = await replay.listed(inventory, 10)
    assert row["status"] == "delivering"
    assert await inventory.stores.replays.abandon(wish.id)


@pytest.mark.parametrize("streams", [["order-o-1", "order-o-2"], []])
async def test_a_commit_that_cannot_be_read_is_told_and_the_other_streams_are_delivered(
    world: World, inventory: Opened, clock: ManualClock, streams: list[str]
) -> None:
    source = await ordering(clock, "o-1", "o-2")
    source.commits.spoil("order-o-1@000000000001")
    wish = planned(inventory, streams=streams)
    found = await replay.replayed(inventory, source.log, world.broker, wish, environment="dev", seconds=20)
    assert (found["delivered"], found["left"], found["unreadable"]) == (1, [], ["order-o-1@000000000001"])
    assert "none behind commits that cannot be read (`treaty holes`): order-o-1@" in replay._told(INVENTORY, found)
