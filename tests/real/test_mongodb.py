"""The contract suites on MongoDB, with both drivers, and what only a real server can do to us."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from bson import ObjectId
from pymongo.monitoring import CommandListener, CommandStartedEvent
from treaty.commits.log import CommitLog, CommitRefused, Place, StoreAway, VersionTaken
from treaty.contents import NoContent
from treaty.mongo.driver import Driver, close, connect
from treaty.mongo.stores import MongoStores
from treaty.probes import NoProbe, Probe
from treaty.projections.rows import Row, RowRefused, RowsRefused
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOTES, full_commit, plain_commit
from treaty.testing.suites.commit_log import CommitLogSuite
from treaty.testing.suites.contents import ContentsSuite
from treaty.testing.suites.followed_log import MakeLog, ids, read_until, seen
from treaty.testing.suites.leases import CheckpointsSuite, LeasesSuite
from treaty.testing.suites.pending import PendingSuite
from treaty.testing.suites.personal_data import PersonalDataSuite
from treaty.testing.suites.quarantine import QuarantineSuite
from treaty.testing.suites.rebuild import RebuildSuite
from treaty.testing.suites.replays import ReplaysSuite
from treaty.testing.suites.rows import RowsSuite
from treaty.testing.suites.seals import SealsSuite


class _WithMotor:
    driver: Driver = "motor"


class _WithPyMongo:
    driver: Driver = "pymongo"


class _OnMongoDB:
    driver: Driver

    @pytest.fixture
    async def stores(self, servers: dict[str, str], context: str) -> AsyncIterator[Stores]:
        client = connect(servers["MONGODB_URI"], self.driver)
        stores = MongoStores(client, context, surroundings=Surroundings())
        await stores.prepare([NOTES])
        yield stores
        await close(client)

    @pytest.fixture
    async def make_log(self, servers: dict[str, str], context: str) -> AsyncIterator[MakeLog]:
        clients: list[Any] = []

        async def make(probe: Probe | None = None) -> CommitLog:
            clients.append(connect(servers["MONGODB_URI"], self.driver))
            stores = MongoStores(clients[-1], context, surroundings=Surroundings(probe=probe or NoProbe()))
            await stores.prepare([])
            return stores.log

        yield make
        for client in clients:
            await close(client)


class TestMotorCommitLog(_WithMotor, _OnMongoDB, CommitLogSuite):
    pass


class TestPyMongoCommitLog(_WithPyMongo, _OnMongoDB, CommitLogSuite):
    pass


class TestMotorLeases(_WithMotor, _OnMongoDB, LeasesSuite):
    pass


class TestPyMongoLeases(_WithPyMongo, _OnMongoDB, LeasesSuite):
    pass


class TestMotorCheckpoints(_WithMotor, _OnMongoDB, CheckpointsSuite):
    pass


class TestPyMongoCheckpoints(_WithPyMongo, _OnMongoDB, CheckpointsSuite):
    pass


class TestMotorPending(_WithMotor, _OnMongoDB, PendingSuite):
    pass


class TestPyMongoPending(_WithPyMongo, _OnMongoDB, PendingSuite):
    pass


class TestMotorQuarantine(_WithMotor, _OnMongoDB, QuarantineSuite):
    pass


class TestPyMongoQuarantine(_WithPyMongo, _OnMongoDB, QuarantineSuite):
    pass


class TestMotorReplays(_WithMotor, _OnMongoDB, ReplaysSuite):
    pass


class TestPyMongoReplays(_WithPyMongo, _OnMongoDB, ReplaysSuite):
    pass


class TestMotorSeals(_WithMotor, _OnMongoDB, SealsSuite):
    pass


class TestPyMongoSeals(_WithPyMongo, _OnMongoDB, SealsSuite):
    pass


class TestMotorRows(_WithMotor, _OnMongoDB, RowsSuite):
    pass


class TestPyMongoRows(_WithPyMongo, _OnMongoDB, RowsSuite):
    pass


class TestMotorRebuild(_WithMotor, _OnMongoDB, RebuildSuite):
    pass


class TestPyMongoRebuild(_WithPyMongo, _OnMongoDB, RebuildSuite):
    pass


class TestMotorContents(_WithMotor, _OnMongoDB, ContentsSuite):
    pass


class TestPyMongoContents(_WithPyMongo, _OnMongoDB, ContentsSuite):
    pass


class TestMotorPrivate(_WithMotor, _OnMongoDB, PersonalDataSuite):
    pass


class TestPyMongoPrivate(_WithPyMongo, _OnMongoDB, PersonalDataSuite):
    pass


@asynccontextmanager
async def failing(servers: dict[str, str], namespace: str, times: int, **data: Any) -> AsyncIterator[None]:
    """Makes the next inserts into a collection fail in a way that MongoDB itself can, by its fail point."""
    client = connect(servers["MONGODB_URI"], "motor")
    point = {
        "configureFailPoint": "failCommand",
        "data": {"failCommands": ["insert"], "namespace": namespace, **data},
    }
    try:
        await client.admin.command({**point, "mode": {"times": times}})
        yield
    finally:
        await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        await close(client)


def _commits_of(context: str) -> str:
    return f"{context.replace('.', '_')}.commits"


class _UnknownOutcomes(_OnMongoDB):
    async def test_a_missing_majority_is_no_success_and_resolved_by_sending_again(
        self, servers: dict[str, str], context: str, make_log: MakeLog
    ) -> None:
        recorder = Recorder()
        log = await make_log(recorder)
        error = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
        async with failing(servers, _commits_of(context), 2, writeConcernError=error):
            await log.append(plain_commit("thing-1"))
        assert recorder.counts["treaty.commit.unknown"] == 2
        assert len(await log.read("thing-1")) == 1

    async def test_a_lost_connection_is_resolved_by_sending_again(
        self, servers: dict[str, str], context: str, make_log: MakeLog
    ) -> None:
        recorder = Recorder()
        log = await make_log(recorder)
        async with failing(servers, _commits_of(context), 4, closeConnection=True):
            await asyncio.gather(*(log.append(plain_commit(f"thing-{n}")) for n in range(5)))
        assert recorder.counts["treaty.commit.unknown"] >= 1
        assert [len(await log.read(f"thing-{n}")) for n in range(5)] == [1] * 5

    async def test_a_rival_is_told_even_when_the_outcome_was_unknown(
        self, servers: dict[str, str], context: str, make_log: MakeLog
    ) -> None:
        log = await make_log()
        await log.append(plain_commit("thing-1", token="first"))
        async with failing(servers, _commits_of(context), 3, closeConnection=True):
            with pytest.raises(VersionTaken):
                await log.append(plain_commit("thing-1", causes=["other"], token="second"))

    async def test_a_commit_that_is_too_large_is_refused_and_the_others_of_its_batch_are_not(
        self, make_log: MakeLog
    ) -> None:
        log = await make_log()
        large = plain_commit("thing-1", causes=["x" * 2_100_000])
        refused, stored = await asyncio.gather(
            log.append(large), log.append(plain_commit("thing-2")), return_exceptions=True
        )
        assert isinstance(refused, CommitRefused)
        assert stored is None

    async def test_a_reading_that_begins_is_at_once_as_far_as_one_that_has_waited(self, make_log: MakeLog) -> None:
        log = await make_log()
        place = await log.end()
        async with aclosing(log.follow(place)) as waiting:
            waited = (await anext(waiting)).place
            while waited.token == place.token:  # until something happens elsewhere on the server, within ten seconds
                waited = (await anext(waiting)).place
        assert waited.token > place.token
        async with aclosing((await make_log()).follow(place)) as beginning:
            assert (await anext(beginning)).place.token >= waited.token

    @pytest.mark.parametrize("value", ["caf\ud83d", 2**63, {"deep": "deep"}], ids=["half a pair", "number", "deep"])
    async def test_a_commit_that_cannot_be_encoded_is_refused_and_the_others_of_its_batch_are_not(
        self, make_log: MakeLog, value: Any
    ) -> None:
        for _ in range(2_000 if isinstance(value, dict) else 0):
            value = {"deep": value}
        log = await make_log()
        wrong = replace(plain_commit("thing-1"), state={"value": value})
        refused, *stored = await asyncio.gather(
            log.append(wrong), *(log.append(plain_commit(f"thing-{n}")) for n in range(2, 9)), return_exceptions=True
        )
        assert isinstance(refused, CommitRefused)
        assert stored == [None] * 7

    async def test_a_token_that_the_server_does_not_know_is_searched_for_by_position(self, make_log: MakeLog) -> None:
        log = await make_log()
        first, second = plain_commit("thing-1"), plain_commit("thing-2")
        await log.append(first)
        batches = await read_until(log, Place(), seen(first))
        await log.append(second)
        lost = Place("82" + "0" * 60, batches[-1].place.position)
        assert second.id in ids(await read_until(log, lost, seen(second)))


class TestMotorUnknownOutcomes(_WithMotor, _UnknownOutcomes):
    pass


class TestPyMongoUnknownOutcomes(_WithPyMongo, _UnknownOutcomes):
    pass


async def test_documents_of_the_next_version_are_read_over_their_unknown_fields(stores_of_next: MongoStores) -> None:
    log = stores_of_next.log
    commit = full_commit("thing-1")
    await log.append(commit)
    commits = stores_of_next._database.get_collection("commits")
    more = {"new": 1, "causes.$[].new": 2, "outbox.$[].new": 3, "calls.$[].new": {"deep": 4}}
    await commits.update_one({"_id": commit.id}, {"$set": more})
    head = await log.head("thing-1")
    assert head is not None
    assert replace(head, position=(0, 0)) == replace(commit, position=(0, 0))
    async with contextlib.aclosing(log.follow(Place())) as batches:
        async for batch in batches:
            if batch.commits:
                assert [c.id for c in batch.commits] == [commit.id]
                break


@pytest.fixture
async def stores_of_next(servers: dict[str, str], context: str) -> AsyncIterator[MongoStores]:
    client = connect(servers["MONGODB_URI"], "motor")
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    yield stores
    await close(client)


async def test_a_dropped_index_on_causes_is_noticed_and_made_again(stores_of_next: MongoStores) -> None:
    log, commits = stores_of_next.log, stores_of_next._database.get_collection("commits")
    await log.append(plain_commit("thing-1", causes=["once"]))
    await commits.drop_index("causes")
    await stores_of_next.ping()
    with pytest.raises(VersionTaken):
        await log.append(plain_commit("thing-1", 2, causes=["once"]))


async def test_a_unique_index_on_causes_may_have_another_name(stores_of_next: MongoStores) -> None:
    commits = stores_of_next._database.get_collection("commits")
    await commits.drop_index("causes")
    await commits.create_index([("stream", 1), ("causes.id", 1)], unique=True, name="guard")
    await stores_of_next.ping()
    await stores_of_next.prepare([])
    await stores_of_next.log.append(plain_commit("thing-1"))


async def test_an_index_that_is_only_called_causes_does_not_guard(stores_of_next: MongoStores) -> None:
    commits = stores_of_next._database.get_collection("commits")
    await commits.drop_index("causes")
    await commits.create_index([("position", 1), ("causes.id", 1)], unique=True, name="causes")
    with pytest.raises(StoreAway, match="the unique index on causes is missing"):
        await stores_of_next.ping()


@pytest.mark.slow
async def test_readings_that_wait_for_changes_hold_no_other_request_up(stores_of_next: MongoStores) -> None:
    place = await stores_of_next.log.end()
    readings = [asyncio.create_task(_read(stores_of_next.log, place)) for _ in range(5 * (os.cpu_count() or 1) + 2)]
    await asyncio.sleep(1.0)
    async with asyncio.timeout(5.0):
        assert await stores_of_next.log.head("nothing") is None
    while not all(reading.done() for reading in readings):
        for reading in readings:
            reading.cancel()
        await asyncio.wait(readings, timeout=1.0)


async def test_a_reading_that_ends_in_the_middle_of_history_leaves_no_cursor_behind(
    stores_of_next: MongoStores,
) -> None:
    await stores_of_next.log.append(plain_commit("thing-1"))
    for _ in range(5):
        batches = stores_of_next.log.follow(Place())
        async for _batch in batches:
            break
        await batches.aclose()
    await asyncio.sleep(0.5)
    admin = stores_of_next._client.admin
    idle = [{"$currentOp": {"idleCursors": True, "localOps": True}}, {"$match": {"type": "idleCursor"}}]
    found = await admin.command({"aggregate": 1, "pipeline": idle, "cursor": {}})
    mine = stores_of_next._database.name
    assert not [op for op in found["cursor"]["firstBatch"] if op["ns"].startswith(f"{mine}.")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # PyMongo Async, cancelled while it opens a connection
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_reading_that_is_cancelled_at_any_moment_ends_sooner_or_later(
    servers: dict[str, str], context: str, driver: Driver
) -> None:
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    await stores.log.append(plain_commit("thing-1"))
    for n in range(60):
        reading = asyncio.create_task(_read(stores.log, Place()))
        await asyncio.sleep(0.0025 * n)
        while not reading.done():  # a driver may take a cancellation for a broken connection
            reading.cancel()
            await asyncio.wait([reading], timeout=1.0)
        assert reading.cancelled()
    await close(client)
    gc.collect()  # what the driver left open is closed now, and not in the middle of another test


async def _read(log: CommitLog, place: Place) -> None:
    async for _ in log.follow(place):
        pass


async def test_a_row_that_mongodb_refuses_is_no_outage(stores_of_next: MongoStores) -> None:
    rows = stores_of_next.rows(NOTES)
    await rows.prepare()
    await rows._rows(0).create_index([("values.owner", 1), ("values.rank", 1)])
    for refused in ({"owner": ["a", "b"], "rank": [1, 2]}, {"owner": "a" * 17_000_000, "rank": 1}):
        with pytest.raises(RowRefused, match="MongoDB refuses a row of view_"):
            await rows.store([Row("fits", 1, {"owner": "a", "rank": 1}), Row("no", 1, refused)], 1, 0)
        assert not await rows.load(["fits", "no"])


async def test_rows_that_this_process_may_not_read_or_write_are_no_outage(
    servers: dict[str, str], stores_of_next: MongoStores
) -> None:
    rows = stores_of_next.rows(NOTES)
    await rows.prepare()
    row = Row("a", 1, {"owner": "a", "rank": 1})
    refusing = partial(failing, servers, rows._rows(0).full_name, 1, errorCode=13)
    async with refusing(failCommands=["find"]):
        with pytest.raises(RowsRefused, match="MongoDB refuses the rows of view_"):
            await rows.load(["a"])
    async with refusing(failCommands=["update"]):
        with pytest.raises(RowsRefused):
            await rows.store([row], 1, 0)
    async with refusing(failCommands=["update"]):
        with pytest.raises(RowsRefused):
            await rows.store_newer([row], 0)
    await rows.store([row], 1, 0)
    assert await rows.load(["a"]) == {"a": row}


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_pieces_without_their_document_are_no_content_and_are_swept(
    servers: dict[str, str], context: str, driver: Driver
) -> None:
    """A process that was killed leaves pieces; a removal that was killed may leave the later ones alone."""
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    chunks = client.get_database(context.replace(".", "_")).get_collection("content.chunks")
    whole, first_only, last_only = [await stores.contents.put(_two_pieces(), owner="note-a") for _ in range(3)]
    await stores.contents.delete(last_only.id)
    await chunks.delete_one({"files_id": ObjectId(first_only.id.rpartition(".")[2]), "n": 1})
    await chunks.insert_one({"files_id": ObjectId(last_only.id.rpartition(".")[2]), "n": 1, "data": b"x"})
    for broken in (first_only, last_only):
        with pytest.raises(NoContent):
            [piece async for piece in stores.contents.get(broken.id)]

    async def named(ids: Sequence[str]) -> Set[str]:
        return {whole.id}

    assert await stores.contents.sweep(named, older_than=timedelta(days=-1)) == 2
    assert await chunks.count_documents({}) == 2
    assert len([piece async for piece in stores.contents.get(whole.id)]) == 2
    await close(client)


async def _two_pieces() -> AsyncIterator[bytes]:
    yield b"x" * 300_000


class Concerns(CommandListener):
    """Notes the concerns that transactions are begun and committed with."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.committed: list[object] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command.get("startTransaction"):
            self.begun.append(event.command.get("readConcern", {}).get("level"))
        if event.command_name == "commitTransaction":
            self.committed.append(event.command.get("writeConcern"))

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


async def test_a_transaction_is_durable_whatever_the_server_and_the_address_say(
    servers: dict[str, str], context: str
) -> None:
    concerns = Concerns()
    plain = connect(servers["MONGODB_URI"], "motor")
    client = type(plain)(servers["MONGODB_URI"], w=1, journal=False, event_listeners=[concerns])
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([NOTES])
    for epoch in (1, -1):
        await stores.rows(NOTES).store([Row(f"a{epoch}", 1, {"text": "x"})], epoch, 0)
    assert concerns.begun == ["snapshot", "snapshot"]
    assert concerns.committed == 2 * [{"w": "majority", "j": True, "wtimeout": 5000}]
    await close(client)
    await close(plain)
