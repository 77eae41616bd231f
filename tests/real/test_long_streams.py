"""Streams of ten thousand commits in MongoDB, whose state has another shape than the code that reads them."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from treaty.commits.commit import Commit
from treaty.commits.streams import Streams
from treaty.mongo.documents import to_document
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings

from tests.toolkit.commits.test_folds import STREAM, deposited
from tests.toolkit.commits.test_snapshots import COUNTING

pytestmark = pytest.mark.slow

LONG = 10_000
MOST_BYTES = 64 * 2**20


class _Counted:
    """A log that counts the commits that it reads."""

    def __init__(self, log: Any) -> None:
        self._log, self.commits = log, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def read(self, stream: str, **part: Any) -> Sequence[Commit]:
        found: Sequence[Commit] = await self._log.read(stream, **part)
        self.commits += len(found)
        return found


@pytest.fixture
async def log(servers: dict[str, str], context: str) -> AsyncIterator[_Counted]:
    """A log whose stream has ten thousand commits, each with a snapshot of 10 kB in an older shape."""
    client = connect(servers["MONGODB_URI"], "motor")
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([])
    commits = stores._database.get_collection("commits")
    old = {"shape": "old", "data": {"text": "x" * 10_000}}
    for first in range(1, LONG, 500):
        documents = [to_document(deposited(version)) | {"state": old} for version in range(first, first + 500)]
        await commits.insert_many(documents)
    yield _Counted(stores.log)
    await close(client)


async def test_a_fold_of_ten_thousand_commits_takes_little_memory_and_is_done_once(log: _Counted) -> None:
    reading = Streams[Any](log, COUNTING)
    tracemalloc.start()
    try:
        heads = await asyncio.gather(*(reading.head(STREAM) for _ in range(5)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {head.state.deposits for head in heads} == {LONG}
    assert log.commits == LONG
    assert peak < MOST_BYTES
    log.commits = 0
    assert (await Streams[Any](log, COUNTING).head(STREAM)).state.deposits == LONG
    assert log.commits == 0


async def test_a_moment_of_ten_thousand_commits_is_read_with_few_of_them(log: _Counted) -> None:
    reading = Streams[Any](log, COUNTING)
    await reading.head(STREAM)
    [middle] = await log.read(STREAM, first=LONG // 2, last=LONG // 2)
    log.commits = 0
    found = await reading.as_of(STREAM, middle.stored_at)
    assert found is not None
    assert found.version >= middle.version
    assert log.commits <= 20 + 1000
    log.commits = 0
    assert await reading.as_of(STREAM, middle.stored_at - timedelta(days=1)) is None
    assert log.commits <= 20
