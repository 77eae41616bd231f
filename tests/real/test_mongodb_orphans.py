"""A writer of rows that was killed in the middle of a transaction holds up nothing."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import PyMongoError
from treaty.mongo.driver import Driver, close, connect
from treaty.mongo.stores import MongoStores
from treaty.projections.rows import Row
from treaty.surroundings import Surroundings
from treaty.testing.samples import NOTES

_LIMIT = "transactionLifetimeLimitSeconds"


@pytest.fixture
async def patient_server(servers: dict[str, str]) -> AsyncIterator[None]:
    """Lets the server keep an open transaction for longer than any writer waits."""
    client: Any = connect(servers["MONGODB_URI"], "motor")
    before = (await client.admin.command({"getParameter": 1, _LIMIT: 1}))[_LIMIT]
    await client.admin.command({"setParameter": 1, _LIMIT: 3600})
    yield
    await client.admin.command({"setParameter": 1, _LIMIT: before})
    await close(client)


@pytest.mark.slow
@pytest.mark.usefixtures("patient_server")
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_the_next_writer_ends_the_transaction_that_a_killed_one_left_open(
    servers: dict[str, str], context: str, driver: Driver
) -> None:
    killed: Any = connect(servers["MONGODB_URI"], driver)
    rows = MongoStores(killed, context, surroundings=Surroundings()).rows(NOTES)
    await rows.prepare()
    await rows.store([Row("a", 1, {"owner": "ann", "rank": 1})], 1, 0)
    left_open = rows._writing._current
    beginning = left_open.start_transaction()
    if inspect.isawaitable(beginning):
        await beginning
    await rows._fences.update_one({"_id": rows._name}, {"$set": {"epoch": 1}}, session=left_open)

    client: Any = connect(servers["MONGODB_URI"], driver)
    following = MongoStores(client, context, surroundings=Surroundings()).rows(NOTES)
    async with asyncio.timeout(60):  # without its end, the transaction stays open for an hour
        await following.store([Row("a", 2, {"owner": "bob", "rank": 2})], 2, 0)
        await following.store([Row("a", 3, {"owner": "bob", "rank": 3})], 2, 0)
    assert {row.version for row in await following.everything(0)} == {3}
    with pytest.raises(PyMongoError):
        await left_open.commit_transaction()
    for one in (killed, client):
        await close(one)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # PyMongo leaves a cancelled socket open
@pytest.mark.usefixtures("patient_server")
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_write_that_was_cancelled_holds_up_no_later_one(
    servers: dict[str, str], context: str, driver: Driver
) -> None:
    client: Any = connect(servers["MONGODB_URI"], driver)
    rows = MongoStores(client, context, surroundings=Surroundings()).rows(NOTES)
    await rows.prepare()
    for number in range(1, 60):
        writing = asyncio.create_task(rows.store([Row("a", number, {"owner": "ann", "rank": number})], 1, 0))
        await asyncio.sleep(number / 10_000)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    async with asyncio.timeout(60):
        await rows.store([Row("a", 100, {"owner": "bob", "rank": 100})], 1, 0)
    assert {row.version for row in await rows.everything(0)} == {100}
    await close(client)
