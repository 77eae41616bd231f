"""A change stream that cannot be opened in time, because too much that is foreign lies behind its token."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import NetworkTimeout
from structlog.testing import capture_logs
from treaty.commits.log import Place
from treaty.mongo.commits import MongoCommits
from treaty.mongo.driver import Driver, close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing.samples import plain_commit
from treaty.testing.suites.followed_log import ids, read_until, seen


class _SlowToResume:
    """A database that never answers in time when a change stream is resumed."""

    def __init__(self, database: Any) -> None:
        self._database, self.tries = database, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def command(self, command: Any, *args: Any, **options: Any) -> Any:
        if "resumeAfter" in str(command):
            self.tries += 1
            raise NetworkTimeout("timed out")
        return await self._database.command(command, *args, **options)


@pytest.fixture(params=["motor", "pymongo"])
async def stores(servers: dict[str, str], context: str, request: pytest.FixtureRequest) -> AsyncIterator[MongoStores]:
    driver: Driver = request.param
    uri = servers["MONGODB_URI"]
    patient = connect(uri, "motor")
    await MongoStores(patient, context, surroundings=Surroundings()).prepare([])
    await close(patient)
    client = connect(f"{uri}{'&' if '?' in uri else '?'}socketTimeoutMS=2000", driver)
    yield MongoStores(client, context, surroundings=Surroundings())
    await close(client)


async def _place(stores: MongoStores) -> Place:
    await stores.log.append(plain_commit("thing-1"))
    return (await read_until(stores.log, Place(), seen(plain_commit("thing-1"))))[-1].place


async def test_an_opening_that_times_out_is_followed_by_a_scan_with_a_warning(
    servers: dict[str, str], stores: MongoStores
) -> None:
    place = await _place(stores)
    await stores.log.append(plain_commit("thing-2"))
    other = connect(servers["MONGODB_URI"], "motor")
    opening = {"failCommands": ["aggregate"], "namespace": f"{stores._database.name}.commits"}
    slow = {**opening, "blockConnection": True, "blockTimeMS": 4000}
    try:
        await other.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": slow})
        with capture_logs() as logs:
            batches = await read_until(stores.log, place, seen(plain_commit("thing-2")))
    finally:
        await other.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        await close(other)
    assert any(batch.again and batch.commits for batch in batches)
    assert [entry["log_level"] for entry in logs if "searched" in entry["event"]] == ["warning"]


async def test_a_token_that_can_never_be_resumed_in_time_is_tried_once(stores: MongoStores) -> None:
    place = await _place(stores)
    await stores.log.append(plain_commit("thing-2"))
    slow = _SlowToResume(stores._database)
    batches = await read_until(MongoCommits(stores._client, slow), place, seen(plain_commit("thing-2")))  # type: ignore[arg-type]
    assert plain_commit("thing-2").id in ids(batches)
    assert slow.tries == 1
