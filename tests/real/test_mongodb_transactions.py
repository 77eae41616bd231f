"""A transaction that a killed process left open does not hold up the others until MongoDB ends it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from treaty.mongo.driver import Driver, close, connect, database, session
from treaty.mongo.transactions import transact


@pytest.fixture(params=["motor", "pymongo"])
async def client(servers: dict[str, str], request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A client at a server that ends no transaction by itself."""
    driver: Driver = request.param
    connected = connect(servers["MONGODB_URI"], driver)
    before = await connected.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
    await connected.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 3600})
    try:
        yield connected
    finally:
        limit = before["transactionLifetimeLimitSeconds"]
        await connected.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": limit})
        await close(connected)


async def test_a_transaction_that_was_left_open_is_ended_and_does_not_take_effect(client: Any, context: str) -> None:
    rows = database(client, context).get_collection("rows")
    await rows.insert_one({"_id": "one", "by": "nobody"})

    async def write(by: str, own: Any) -> None:
        await rows.update_one({"_id": "one"}, {"$set": {"by": by}}, session=own)

    async with session(client) as killed:
        await _started(killed.start_transaction())
        await write("a killed process", killed)
        with capture_logs() as logs:
            await transact(client, lambda own: write("the next process", own), idle_seconds=0.3)
        assert (await rows.find_one())["by"] == "the next process"
    assert [log["event"] for log in logs] == ["transactions that were left open were ended"]


async def _started(starting: Any) -> None:
    """PyMongo's `start_transaction` is awaited, Motor's is not."""
    if hasattr(starting, "__await__"):
        await starting
