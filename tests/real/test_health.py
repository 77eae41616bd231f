"""A MongoDB whose writes reach no majority is not healthy, although it answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from treaty.commits.log import StoreAway
from treaty.mongo.driver import Driver, close, connect, database
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.samples import plain_commit

NO_MAJORITY = {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}
SILENCE = {"blockConnection": True, "blockTimeMS": 1000, "errorCode": 91}


@asynccontextmanager
async def failing(client: Any, namespace: str, how: dict[str, Any]) -> AsyncIterator[None]:
    """Lets inserts into one collection fail inside the block."""
    point = {"configureFailPoint": "failCommand", "data": {"failCommands": ["insert"], "namespace": namespace, **how}}
    await client.admin.command({**point, "mode": "alwaysOn"})
    try:
        yield
    finally:
        await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


@pytest.mark.slow
@pytest.mark.parametrize("how", [NO_MAJORITY, SILENCE], ids=["no majority", "silence"])
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_stores_whose_commits_do_not_get_through_are_not_healthy_until_they_do(
    servers: dict[str, str], context: str, driver: Driver, how: dict[str, Any]
) -> None:
    client = connect(servers["MONGODB_URI"], driver)
    stores = MongoStores(client, context, surroundings=Surroundings(), patience=0.2)
    await stores.prepare([])
    await stores.log.append(plain_commit("thing-1"))
    await stores.ping()
    async with failing(client, f"{database(client, context).name}.commits", how):
        append = asyncio.ensure_future(stores.log.append(plain_commit("thing-2")))
        error = await eventually(lambda: _complaint(stores))
        assert "has not become durable" in str(error)
    await append
    await stores.ping()
    assert len(await stores.log.read("thing-2")) == 1
    await close(client)


async def _complaint(stores: MongoStores) -> StoreAway | None:
    try:
        await stores.ping()
    except StoreAway as error:
        return error
    return None
