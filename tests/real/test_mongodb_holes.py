"""Documents in MongoDB that cannot be read: the contract of holes, and what a person can write there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from bson.timestamp import Timestamp
from treaty.commits.commit import Commit
from treaty.commits.holes import holes, mend, skip
from treaty.commits.log import CommitLog, Place, Unreadable
from treaty.domain import Invalid
from treaty.mongo.documents import CODEC, to_document
from treaty.mongo.driver import Driver, close, connect
from treaty.mongo.reader import UNPLACED
from treaty.mongo.stores import MongoStores
from treaty.probes import NoProbe, Probe
from treaty.surroundings import Surroundings
from treaty.testing.recorder import Recorder
from treaty.testing.samples import full_commit, plain_commit
from treaty.testing.suites.followed_log import MakeLog, ids, read_until, seen
from treaty.testing.suites.holes import Damage, HolesSuite


class _MongoDamage:
    def __init__(self, stores: MongoStores) -> None:
        self._commits = stores._database.get_collection("commits")

    async def plant(self, commit: Commit) -> None:
        document = to_document(commit)
        del document["outbox"]
        await self._commits.insert_one(document)

    async def repair(self, commit: Commit) -> None:
        await self._commits.update_one({"_id": commit.id}, {"$set": {"outbox": []}})


@pytest.fixture
async def stores(servers: dict[str, str], context: str, driver: Driver) -> AsyncIterator[MongoStores]:
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    yield stores
    await close(client)


@pytest.fixture
def driver() -> Driver:
    return "motor"


@pytest.fixture
def commits(stores: MongoStores) -> Any:
    return stores._database.get_collection("commits")


class _OnMongoDB(HolesSuite):
    @pytest.fixture
    async def make_log(self, context: str, stores: MongoStores) -> MakeLog:
        async def make(probe: Probe | None = None) -> CommitLog:
            return MongoStores(stores._client, context, surroundings=Surroundings(probe=probe or NoProbe())).log

        return make

    @pytest.fixture
    async def damage(self, stores: MongoStores) -> Damage:
        return _MongoDamage(stores)


class TestMotorHoles(_OnMongoDB):
    pass


class TestPyMongoHoles(_OnMongoDB):
    @pytest.fixture
    def driver(self) -> Driver:
        return "pymongo"


DAMAGES: dict[str, Any] = {
    "no stream": {"stream": None},
    "another stream": {"stream": "thing-9"},
    "a version of another type": {"version": "two"},
    "another version": {"version": 7},
    "no position": {"position": None},
    "a position of another type": {"position": datetime(2024, 1, 1, tzinfo=UTC)},
    "causes of another type": {"causes": {"id": "a"}},
    "a cause without an id": {"causes": [{"digest": ""}]},
    "no events": {"events": None},
    "an event without a type": {"events": [{"v": 1, "data": {}}]},
    "an event of another type": {"events": ["noted"]},
    "an outgoing event of another type": {"outbox": [5]},
    "a body of another type": {"outbox": [{"type": "t", "body": "text", "time": datetime.now(UTC), "cause": 0}]},
    "a moment past the calendar": {"outbox": [{"type": "t", "body": b"", "time": DatetimeMS(2**60), "cause": 0}]},
    "an index without a cause": {"calls": [{"type": "t", "body": {}, "cause": 3, "due": None}]},
    "a call of another type": {"calls": ["ring"]},
    "a sequence of another type": {"sequence": "one"},
    "a token of another type": {"token": 1},
}
"""How a document may differ from a commit; None removes the field."""


def damaged(commit: Commit, changes: dict[str, Any]) -> dict[str, Any]:
    document = {**to_document(commit), **changes}
    return {name: value for name, value in document.items() if value is not None}


@pytest.mark.parametrize("changes", DAMAGES.values(), ids=DAMAGES.keys())
async def test_any_field_may_be_missing_or_of_another_type(
    stores: MongoStores, commits: Any, changes: dict[str, Any]
) -> None:
    log = stores.log
    live = asyncio.create_task(read_until(log, Place(), seen(plain_commit("thing-last"))))
    await log.append(plain_commit("thing-1"))
    await commits.insert_one(damaged(plain_commit("thing-1", 2), changes))
    await commits.insert_one(to_document(plain_commit("thing-1", 3)))
    await log.append(plain_commit("thing-last"))
    for batches in (await live, await read_until(log, Place(), seen(plain_commit("thing-last")))):
        assert [id for id in dict.fromkeys(ids(batches)) if id.startswith("thing-1@")] == [plain_commit("thing-1").id]
    with pytest.raises(Unreadable):
        await log.read("thing-1", first=2)
    [hole] = await holes(log)
    assert (hole.stream, hole.version) == ("thing-1", 2)
    await skip(log, hole.id, by="ann", reason="of no use")
    batches = await read_until(log, Place(), seen(plain_commit("thing-1", 3)))
    read = [id for id in dict.fromkeys(ids(batches)) if id.startswith("thing-1@")]
    assert read == [plain_commit("thing-1", version).id for version in (1, 2, 3)]
    kept = await stores._database.get_collection("commits_aside", codec_options=CODEC).find_one({"commit": hole.id})
    assert kept is not None
    assert all(kept["document"].get(name) == value for name, value in changes.items() if name != "outbox")


async def test_a_document_that_is_no_commit_holds_nothing_and_is_noted_once(
    context: str, commits: Any, stores: MongoStores
) -> None:
    strange: list[dict[str, Any]] = [
        {"_id": ObjectId(), "stream": "x"},
        {"_id": 7, "stream": "y"},
        {"_id": "thing-1@12"},
    ]
    await commits.insert_many(strange)
    for _ in range(2):
        recorder = Recorder()
        log = MongoStores(stores._client, context, surroundings=Surroundings(probe=recorder)).log
        await log.append(plain_commit(f"thing-{_}"))
        await read_until(log, Place(), seen(plain_commit(f"thing-{_}")))
        assert recorder.counts["treaty.holes.opened"] == (0 if _ else 3)
    assert {(hole.stream, hole.id) for hole in await holes(log)} == {
        ("", repr(strange[0]["_id"])),
        ("", "7"),
        ("", "thing-1@12"),
    }
    await skip(log, "7", by="ann", reason="a mistake")
    assert sum(hole.is_open for hole in await holes(log)) == 2


async def test_a_document_that_was_removed_stops_nothing_though_its_insert_stays(
    stores: MongoStores, commits: Any
) -> None:
    log = stores.log
    end = await log.end()
    await log.append(plain_commit("thing-1"))
    await commits.insert_one({"_id": plain_commit("thing-1", 2).id, "stream": "thing-1", "causes": [{"id": "x"}]})
    await commits.delete_one({"_id": plain_commit("thing-1", 2).id})
    await log.append(plain_commit("thing-1", 2))
    batches = await read_until(log, end, seen(plain_commit("thing-1", 2)))
    assert list(dict.fromkeys(ids(batches))) == [plain_commit("thing-1", version).id for version in (1, 2)]
    assert await holes(log) == []


async def test_a_commit_that_is_removed_behind_an_open_hole_is_a_hole_too(stores: MongoStores, commits: Any) -> None:
    log = stores.log
    await log.append(plain_commit("thing-1"))
    await commits.insert_one(damaged(plain_commit("thing-1", 2), {"events": None}))
    await commits.insert_one(to_document(plain_commit("thing-1", 3)))
    await read_until(log, Place(), seen(plain_commit("thing-1")))
    await commits.delete_one({"_id": plain_commit("thing-1", 2).id})
    with pytest.raises(Invalid, match="is missing"):
        await mend(log, "thing-1", by="ann", reason="removed")
    await skip(log, plain_commit("thing-1", 2).id, by="ann", reason="removed")
    assert [commit.version for commit in await log.read("thing-1")] == [1, 2, 3]


async def test_a_mended_document_must_be_at_its_place_in_the_order(stores: MongoStores, commits: Any) -> None:
    log = stores.log
    await log.append(plain_commit("thing-1"))
    await commits.insert_one(damaged(plain_commit("thing-1", 2), {"position": None}))
    await log.append(plain_commit("thing-1", 3))
    await read_until(log, Place(), seen(plain_commit("thing-1")))
    within = {"_id": plain_commit("thing-1", 2).id}
    await commits.update_one(within, {"$set": {"position": Timestamp(1, 1)}})
    with pytest.raises(Invalid, match="position"):
        await mend(log, "thing-1", by="ann", reason="a guess")
    first = (await log.read("thing-1", last=1))[0].position
    await commits.update_one(within, {"$set": {"position": Timestamp(first[0], first[1] + 1)}})
    await mend(log, "thing-1", by="ann", reason="from the backup")
    batches = await read_until(log, Place(), seen(plain_commit("thing-1", 3)))
    assert plain_commit("thing-1", 2).id in ids(batches)


async def test_a_mended_document_at_the_end_is_not_ahead_of_the_log(stores: MongoStores, commits: Any) -> None:
    await stores.log.append(plain_commit("thing-1"))
    await commits.insert_one(damaged(plain_commit("thing-1", 2), {"position": None}))
    await read_until(stores.log, Place(), seen(plain_commit("thing-1")))
    ahead = {"$set": {"position": Timestamp(2**32 - 1, 1)}}
    await commits.update_one({"_id": plain_commit("thing-1", 2).id}, ahead)
    with pytest.raises(Invalid, match="position"):
        await mend(stores.log, "thing-1", by="ann", reason="a guess")


async def test_a_commit_in_doubt_whose_version_a_person_took_is_answered(stores: MongoStores, commits: Any) -> None:
    await commits.insert_one({"_id": plain_commit("thing-1").id})
    await stores.log.append(plain_commit("thing-2"))
    assert not await stores.log._is_ours(plain_commit("thing-1"))


async def test_documents_without_a_position_are_found_by_an_index(stores: MongoStores, commits: Any) -> None:
    for number in range(50):
        await stores.log.append(full_commit(f"thing-{number}"))
    await commits.insert_one(damaged(plain_commit("thing-x"), {"position": None}))
    explained = await commits.database.command(
        {"explain": {"find": "commits", "filter": UNPLACED}, "verbosity": "executionStats"}
    )
    assert explained["executionStats"]["totalDocsExamined"] == 1
