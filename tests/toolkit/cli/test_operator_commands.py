"""What the commands for operators find, on stores in memory: streams, the outbox, followers, pending work."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.cli import followers, outbox, pending, projections, streams, tables
from treaty.cli.context import Opened
from treaty.commits.log import Place
from treaty.followers.pending import Item
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.world import ManualClock, World, embedded

INVENTORY = "commerce.inventory"
LAMP = "stock-main/lamp"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[World]:
    async with embedded(INVENTORY, clock=clock) as world:
        stub = pb_grpc.InventoryServiceStub(world.channel)
        await stub.RegisterItem(pb.RegisterItemRequest(request_id=world.ids.new(), sku="lamp"), timeout=5)
        clock.advance(60)
        request = pb.ReceiveStockRequest(request_id=world.ids.new(), sku="lamp", quantity=7)
        await stub.ReceiveStock(request, timeout=5)
        yield world


@pytest.fixture
def opened(world: World, clock: ManualClock) -> Opened:
    stores = world.stores[INVENTORY]
    ports = Ports(stores=stores, surroundings=Surroundings(clock=clock))
    return Opened(world.runner(INVENTORY).service, stores, ports, partitions=4)


async def test_a_stream_is_shown_commit_by_commit(opened: Opened) -> None:
    commits = json.loads(tables.as_json(await streams.history(opened, LAMP)))
    assert [commit["version"] for commit in commits] == [1, 2]
    assert commits[1]["causes"][0]["id"].startswith("ReceiveStock/")
    assert commits[1]["events"][0]["data"]["quantity"] == 7
    assert "on_hand: 7" in commits[1]["outgoing"][0]["data"]
    assert [row["stream"] for row in await streams.listed(opened, "stock-", 10)] == [LAMP]


async def test_the_state_at_a_version_and_at_a_moment(opened: Opened, clock: ManualClock) -> None:
    first = await streams.state(opened, LAMP, 1, None)
    assert (first["version"], first["state"]["on_hand"]) == (1, 0)
    then = await streams.state(opened, LAMP, None, clock.now() - timedelta(seconds=30))
    assert then == first
    assert (await streams.state(opened, LAMP, None, clock.now()))["state"]["on_hand"] == 7


@pytest.mark.parametrize(("version", "moment"), [(9, None), (None, datetime(2001, 1, 1, tzinfo=UTC))])
async def test_a_state_that_never_was_is_refused(opened: Opened, version: int | None, moment: datetime | None) -> None:
    with pytest.raises(typer.Exit) as refused:
        await streams.state(opened, LAMP, version, moment)
    assert refused.value.exit_code == 2


async def test_a_stream_that_is_not_there_is_refused(opened: Opened) -> None:
    with pytest.raises(typer.Exit):
        await streams.history(opened, "stock-nothing")


async def test_the_outbox_tells_what_waits_and_how_long(opened: Opened, clock: ManualClock) -> None:
    await eventually(lambda: _relayed(opened))
    assert (await outbox.waiting(opened))["events"] == 0
    await opened.stores.checkpoints.forget(["relay"])
    clock.advance(30)
    found = await outbox.waiting(opened)
    assert found["events"] >= 1
    assert found["oldest_seconds"] in (30, 90)
    assert {event["stream"] for event in found["first"]} == {LAMP}


async def _relayed(opened: Opened) -> bool:
    return bool((await opened.stores.checkpoints.load()).get("relay", Place()).position[0])


async def test_followers_tell_who_does_what(opened: Opened, world: World) -> None:
    await eventually(lambda: _all_held(opened))
    found = await followers.followed(opened)
    assert {row["follower"] for row in found["followers"]} >= {"relay", "calls"}
    owner = world.runner(INVENTORY)._owner
    assert {row["lease"]: row["owner"] for row in found["leases"]} == dict.fromkeys(
        ["followers", "p0", "p1", "p2", "p3"], f"{owner}#1"
    )


async def _all_held(opened: Opened) -> bool:
    return len(await opened.stores.leases.holders()) == 5


async def test_a_follower_that_stands_still_is_behind(opened: Opened, clock: ManualClock) -> None:
    await eventually(lambda: _relayed(opened))
    await opened.stores.checkpoints.forget(["relay"])
    clock.advance(30)
    rows = {row["follower"]: row for row in (await followers.followed(opened))["followers"]}
    assert (rows["relay"]["behind"], rows["relay"]["oldest_seconds"]) == (2, 90)


async def test_pending_work_tells_what_it_waits_for(opened: Opened, clock: ManualClock) -> None:
    body: dict[str, Any] = {"type": "ring"}
    due = clock.now() + timedelta(days=1)
    items = [Item(id=f"x@{n}", lane="calls of x", kind="call", body=body, since=clock.now()) for n in (1, 2)]
    await opened.stores.pending.add([*items, Item(id="t@1", lane="t@1", kind="call", body=body, due=due)])
    clock.advance(12)
    found = {row["id"]: row for row in await pending.waiting(opened, 10)}
    assert found["x@2"]["behind"] == "x@1"
    assert found["x@2"]["age"] == 12
    assert (found["t@1"]["what"], found["t@1"]["due"], found["t@1"]["behind"]) == ("timer", due, "")
    assert len(await pending.waiting(opened, 1)) == 1
    assert [row["id"] for row in await pending.waiting(opened, 10, due=True)] == ["x@1", "x@2"]
    clock.advance(86_400)
    assert len(await pending.waiting(opened, 10, due=True)) == 3


async def test_timers_of_later_hide_nothing(opened: Opened, clock: ManualClock) -> None:
    body: dict[str, Any] = {"type": "ring", "headers": {"ce-type": "rang"}}
    due = clock.now() + timedelta(days=1)
    timers = [Item(id=f"a@{n}", lane=f"a@{n}", kind="call", body=body, due=due) for n in range(10_001)]
    failing = Item(id="x@1", lane="x", kind="call", body=body, attempts=70, error="PeerAway")
    refused = Item(id="y@1", lane="y", kind="publish", body=body, attempts=1, error="it is too large")
    await opened.stores.pending.add([*timers, failing, refused])
    assert [row["id"] for row in await pending.waiting(opened, 200, due=True)] == ["x@1", "y@1"]
    assert [event["id"] for event in (await outbox.waiting(opened))["parked"]] == ["y@1"]


async def test_what_was_parked_long_ago_is_the_oldest_and_a_list_that_is_cut_says_so(
    opened: Opened, clock: ManualClock
) -> None:
    body: dict[str, Any] = {"type": "ring", "headers": {"ce-type": "rang"}}
    old = clock.now() - timedelta(days=1)
    parked = [Item(id=f"y@{n:04}", lane="y", kind="publish", body=body, since=old) for n in range(1_001)]
    await opened.stores.pending.add(parked[:1_000])
    found = await outbox.waiting(opened)
    assert (len(found["parked"]), found["more_parked"], found["oldest_seconds"]) == (1_000, False, 86_400)
    await opened.stores.pending.add(parked[1_000:])
    found = await outbox.waiting(opened)
    assert (len(found["parked"]), found["more_parked"]) == (1_000, True)


def test_pending_work_fits_on_a_screen_of_80_columns() -> None:
    row = {
        "context": "commerce.notifications",
        "id": f"checkout-{'6f96' * 9}@000000000002!0000",
        "what": "publish",
        "type": "commerce.inventory.v1.AnEventWithAVeryLongName",
        "due": datetime(2026, 7, 1, 12, tzinfo=UTC),
        "attempts": 12_345,
        "behind": f"checkout-{'6f96' * 9}@000000000001!0000",
        "error": "the gateway is away, " * 9,
        "age": 86_400.0,
    }
    shown = list(pending.lines([row, {**row, "due": "now", "error": "", "behind": "", "age": None}]))
    assert max(map(len, shown)) <= 80
    assert shown[0] == "commerce.notifications"
    assert shown[1].split()[:2] == ["publish", "….AnEventWithAVeryLongName"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (0.4, "0 s"), (59, "59 s"), (125, "2 min"), (7300, "2 h"), (900_000, "10 d")]
)
def test_an_age_is_said_in_words(seconds: float | None, words: str) -> None:
    assert tables.age(seconds) == words


async def test_a_read_model_that_cannot_be_built_says_so_and_shows_where(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise ValueError("the row has no colour")

    monkeypatch.setattr(projections, "rebuild", fails)
    with pytest.raises(typer.Exit) as ended:
        await projections._build(opened, opened.service.read_models[0], verify=False)
    told = capsys.readouterr().err
    assert ended.value.exit_code == 2
    assert "Traceback" in told
    assert told.strip().splitlines()[-1].startswith("treaty: ")
    assert "cannot be built (ValueError: the row has no colour); queries go on with the old rows" in told
