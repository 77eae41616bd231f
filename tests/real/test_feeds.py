"""A feed on MongoDB: watchers that come again together soon share one reading, also while nothing is committed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from treaty.commits.feed import Feed, Watching
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing.eventually import while_moving
from treaty.testing.samples import NOTES, Note, noted

WATCHERS = 100
"""More than the driver has threads."""


@pytest.fixture
async def stores(servers: dict[str, str], context: str) -> AsyncIterator[MongoStores]:
    client = connect(servers["MONGODB_URI"], "motor")
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    yield stores
    await close(client)


async def test_many_watchers_that_come_again_on_a_quiet_feed_leave_the_store_free(stores: MongoStores) -> None:
    feed: Feed[Note] = Feed(stores.log, NOTES.source)
    async with feed.watch() as first:
        place = first.place
    watching: list[Watching[Note]] = []
    seen: list[str] = []

    async def watch() -> None:
        async with feed.watch(place) as mine:
            watching.append(mine)
            async for entry in mine.entries():
                seen.append(entry.committed.revision)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WATCHERS):
            tasks.create_task(watch())

        def joined() -> int:
            return sum(one._missed is None for one in watching)

        await while_moving(lambda: joined() == WATCHERS, joined)
        await stores.log.append(noted("a", 1, "ann", 1))
        await while_moving(lambda: len(seen) == WATCHERS, lambda: len(seen))
        await feed.close()
    assert set(seen) == {"note-a@1"}
