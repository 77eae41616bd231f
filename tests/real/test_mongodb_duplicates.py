"""Causes that took effect twice, because the unique index on causes was dropped."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from treaty.commits.duplicates import StreamDuplicated, accept, duplicates
from treaty.commits.log import Place, StoreAway, VersionTaken
from treaty.domain import Invalid
from treaty.mongo.documents import to_document
from treaty.mongo.driver import Driver, close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import plain_commit


@pytest.fixture(params=["motor", "pymongo"])
async def before(servers: dict[str, str], context: str, request: pytest.FixtureRequest) -> AsyncIterator[MongoStores]:
    """Stores where a cause took effect three times on one stream and twice on another, and once on a third."""
    driver: Driver = request.param
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    commits = stores._database.get_collection("commits")
    await commits.drop_index("causes")
    repeated = [("thing-1", 1), ("thing-1", 2), ("thing-1", 3), ("thing-2", 1), ("thing-2", 2)]
    for stream, version in repeated:
        commit = plain_commit(stream, version, causes=["twice", f"own {version}"])
        await commits.insert_one(to_document(commit))
    await commits.insert_one(to_document(plain_commit("thing-3", causes=["twice"])))
    yield stores
    await close(client)


def opened(stores: MongoStores, context: str) -> MongoStores:
    """Returns the stores as the next process opens them."""
    return MongoStores(stores._client, context, surroundings=Surroundings())


async def test_a_process_starts_serves_reads_and_refuses_commands_on_those_streams_only(
    before: MongoStores, context: str
) -> None:
    stores = opened(before, context)
    await stores.prepare([])
    await stores.ping()
    log = stores.log
    assert len(await log.read("thing-1")) == 3
    for stream, version in (("thing-1", 4), ("thing-2", 3)):
        with pytest.raises(StreamDuplicated, match=stream):
            await log.append(plain_commit(stream, version))
    await log.append(plain_commit("thing-3", 2))
    await log.append(plain_commit("thing-4"))
    listed = {one.stream: one.causes for one in await duplicates(log)}
    assert listed == {
        "thing-1": ["twice in thing-1@000000000001, thing-1@000000000002, thing-1@000000000003"],
        "thing-2": ["twice in thing-2@000000000001, thing-2@000000000002"],
    }


async def test_a_repeat_takes_effect_once_again_on_every_stream(before: MongoStores, context: str) -> None:
    stores = opened(before, context)
    await stores.prepare([])
    with pytest.raises(VersionTaken):
        await stores.log.append(plain_commit("thing-3", 2, causes=["twice"]))
    await accept(stores.log, "thing-1", by="ann", reason="paid twice, refunded by hand")
    await stores.commits.check()
    with pytest.raises(VersionTaken):
        await stores.log.append(plain_commit("thing-1", 4, causes=["twice"]))
    await stores.log.append(plain_commit("thing-1", 4))
    [first] = await stores.log.caused_by("thing-1", ["twice"])
    assert first.version == 1


async def test_an_accepted_stream_takes_commands_in_every_process_and_names_the_person(
    before: MongoStores, context: str
) -> None:
    one, two = opened(before, context), opened(before, context)
    await asyncio.gather(one.prepare([]), two.prepare([]))
    await accept(one.log, "thing-2", by="ann", reason="harmless")
    with pytest.raises(Invalid, match="no duplicates to accept"):
        await accept(one.log, "thing-2", by="ann", reason="harmless")
    for stores, version in ((one, 3), (two, 4)):
        await stores.commits.check()
        await stores.log.append(plain_commit("thing-2", version))
        with pytest.raises(StreamDuplicated):
            await stores.log.append(plain_commit("thing-1", 4))
    found = {d.stream: (d.accepted, d.by, d.reason) for d in await duplicates(one.log)}
    assert found == {"thing-1": (False, "", ""), "thing-2": (True, "ann", "harmless")}


async def test_a_start_that_ended_half_way_is_finished_by_the_next(before: MongoStores, context: str) -> None:
    stores = opened(before, context)
    rename, done = stores.commits._guard._rename, 0

    async def ends_after_one(one: Any) -> None:
        nonlocal done
        if done:
            raise KeyboardInterrupt
        done += 1
        await rename(one)

    stores.commits._guard._rename = ends_after_one  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await stores.commits._guard.prepare()
    again = opened(before, context)
    await again.prepare([])
    assert {d.stream for d in await duplicates(again.log) if not d.accepted} == {"thing-1", "thing-2"}
    assert again.commits.refused == {"thing-1", "thing-2"}


async def test_duplicates_from_while_it_runs_are_found_by_the_next_look(before: MongoStores, context: str) -> None:
    stores = opened(before, context)
    await stores.prepare([])
    await accept(stores.log, "thing-2", by="ann", reason="harmless")
    commits = stores._database.get_collection("commits")
    await commits.drop_index("causes")
    await commits.insert_one(to_document(plain_commit("thing-2", 3, causes=["twice"])))
    await stores.ping()
    assert "thing-2" in stores.commits.refused
    with pytest.raises(StreamDuplicated):
        await stores.log.append(plain_commit("thing-2", 4))
    await stores.log.append(plain_commit("thing-9"))


async def test_a_repair_reads_the_log_twice_however_many_causes_were_repeated(
    before: MongoStores, context: str
) -> None:
    commits = before._database.get_collection("commits")
    others = [to_document(plain_commit(f"other-{n}")) for n in range(500)]
    twice = [to_document(plain_commit(f"pair-{n}", v, causes=["same"])) for n in range(20) for v in (1, 2)]
    await commits.insert_many(others + twice)
    database = before._database
    await database.command({"profile": 2, "filter": {"op": "query", "ns": f"{database.name}.commits"}})
    stores = opened(before, context)
    await stores.prepare([])
    await database.command({"profile": 0})
    assert len(stores.commits.refused) == 22
    read = [one.get("docsExamined", 0) async for one in database.get_collection("system.profile").find()]
    assert len(read) >= 22
    assert len([examined for examined in read if examined > 22]) == 2  # to find them, and to find no more


@pytest.mark.slow
async def test_a_repair_that_takes_longer_than_a_look_is_finished_while_it_runs(
    before: MongoStores, context: str
) -> None:
    stores = opened(before, context)
    await stores.prepare([])
    commits = stores._database.get_collection("commits")
    await commits.drop_index("causes")
    await commits.insert_one(to_document(plain_commit("thing-3", 2, causes=["twice"])))
    slow = {"failCommands": ["createIndexes"], "namespace": f"{stores._database.name}.commits"}
    point = {"configureFailPoint": "failCommand", "data": {**slow, "blockConnection": True, "blockTimeMS": 3000}}
    await stores._client.admin.command({**point, "mode": {"times": 1}})

    async def why() -> str:
        try:
            async with asyncio.timeout(2.0):
                await stores.ping()
        except StoreAway as failure:
            return str(failure)
        return ""

    assert "unique index on causes is missing" in await why()
    with pytest.raises(StoreAway):
        await stores.log.append(plain_commit("thing-5"))

    async def is_healthy() -> bool:
        return not await why()

    await eventually(is_healthy)
    with pytest.raises(StreamDuplicated):
        await stores.log.append(plain_commit("thing-3", 3))
    await stores.log.append(plain_commit("thing-5"))


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_collection_that_was_dropped_and_made_anew_is_guarded_and_followed_again(
    servers: dict[str, str], context: str, driver: Driver
) -> None:
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    await stores.log.append(plain_commit("thing-1", causes=["first"]))
    commits = stores._database.get_collection("commits")
    seen: list[str] = []

    async def follow() -> None:
        async for batch in stores.log.follow(Place()):
            seen.extend(commit.id for commit in batch.commits)

    following = asyncio.create_task(follow())
    await eventually(lambda: len(seen) == 1)
    await commits.drop()
    await stores.log.append(plain_commit("thing-2", causes=["again"]))
    await stores.commits.check()
    assert {"causes", "position"} <= set(await commits.index_information())
    with pytest.raises(VersionTaken):
        await stores.log.append(plain_commit("thing-2", 2, causes=["again"]))
    await stores.log.append(plain_commit("thing-2", 2))
    await eventually(lambda: {"thing-2@000000000001", "thing-2@000000000002"} <= set(seen), within=60)
    while not following.done():  # a driver may take a cancellation for a broken connection
        following.cancel()
        await asyncio.wait([following], timeout=1.0)
    await opened(stores, context).prepare([])
    await close(client)
