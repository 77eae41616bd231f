"""The commands by which a person decides about commits that cannot be read, and about causes that took effect twice."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from treaty.commits.log import Place
from treaty.mongo.documents import to_document
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.surroundings import Surroundings
from treaty.testing.samples import plain_commit
from treaty.testing.suites.followed_log import read_until, seen

from scripts.lib.databases import temporary

pytestmark = pytest.mark.slow

CONTEXT = "commerce.inventory"


@dataclass(frozen=True, slots=True)
class Desk:
    """A context in a database of the test's own, and the commands on it."""

    uri: str
    stores: MongoStores
    commits: Any

    async def treaty(self, *arguments: str) -> tuple[int, str]:
        """Runs the command, and returns its exit code and all it printed."""
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "treaty.cli", *arguments),
            env={**os.environ, "MONGODB_URI": self.uri, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await running.communicate()
        return running.returncode or 0, output.decode()

    async def listed(self, *arguments: str) -> Any:
        code, output = await self.treaty(*arguments, "--json")
        assert code == 0, output
        return json.loads(output)


@pytest.fixture
async def desk(servers: dict[str, str], context: str) -> AsyncIterator[Desk]:
    prefix = context.replace(".", "_")
    uri = urlunsplit(urlsplit(servers["MONGODB_URI"])._replace(path=f"/{prefix}"))
    async with temporary(servers["MONGODB_URI"], [f"{prefix}_commerce_inventory"]):
        client = connect(uri, "motor")
        stores = MongoStores(client, CONTEXT, surroundings=Surroundings())
        await stores.prepare([])
        yield Desk(uri, stores, stores._database.get_collection("commits"))
        await close(client)


async def _plant(desk: Desk, stream: str, version: int) -> None:
    document = to_document(plain_commit(stream, version))
    del document["sequence"]
    await desk.commits.insert_one(document)


async def test_holes_are_listed_mended_and_skipped(desk: Desk) -> None:
    for stream in ("stock-a", "stock-b"):
        await desk.stores.log.append(plain_commit(stream))
        await _plant(desk, stream, 2)
        await desk.commits.insert_one(to_document(plain_commit(stream, 3)))
    await read_until(desk.stores.log, Place(), seen(plain_commit("stock-b")))
    assert [row["stream"] for row in await desk.listed("holes", CONTEXT)] == ["stock-a", "stock-b"]
    rows = await desk.listed("streams", "list", CONTEXT, "--prefix", "stock-")
    assert [row["stream"] for row in rows] == ["stock-a", "stock-b"]
    code, output = await desk.treaty("streams", "show", CONTEXT, "stock-a")
    assert (code, "cannot be read" in output, "Traceback" in output) == (2, True, False)

    code, output = await desk.treaty("holes", CONTEXT, "mend", "stock-a")
    assert (code, "cannot be read" in output) == (2, True)
    await desk.commits.update_one({"_id": plain_commit("stock-a", 2).id}, {"$set": {"sequence": 0}})
    code, output = await desk.treaty("holes", CONTEXT, "mend", "stock-a", "--by", "ann")
    assert (code, "is mended" in output) == (0, True)

    skipped = plain_commit("stock-b", 2).id
    code, output = await desk.treaty("holes", CONTEXT, "skip", skipped)
    assert (code, "--reason must not be empty" in output) == (2, True)
    code, output = await desk.treaty("holes", CONTEXT, "skip", skipped, "--reason", "a test", "--by", "bob")
    assert (code, "is skipped" in output) == (0, True)

    assert await desk.listed("holes", CONTEXT) == []
    found = {
        row["stream"]: (row["state"], row["by"], row["reason"]) for row in await desk.listed("holes", CONTEXT, "--all")
    }
    assert found == {"stock-a": ("mended", "ann", "repaired by hand"), "stock-b": ("skipped", "bob", "a test")}
    batches = await read_until(desk.stores.log, Place(), seen(plain_commit("stock-a", 3), plain_commit("stock-b", 3)))
    assert {commit.id for batch in batches for commit in batch.commits} >= {skipped, plain_commit("stock-a", 2).id}


async def test_duplicates_are_listed_and_accepted(desk: Desk) -> None:
    await desk.commits.drop_index("causes")
    for version in (1, 2):
        await desk.commits.insert_one(to_document(plain_commit("stock-a", version, causes=["twice"])))
    await desk.stores.commits.check()
    [row] = await desk.listed("duplicates", CONTEXT)
    assert row["stream"] == "stock-a"
    code, output = await desk.treaty(
        "duplicates", CONTEXT, "accept", "stock-a", "--reason", "counted again", "--by", "ann"
    )
    assert code == 0, output
    assert await desk.listed("duplicates", CONTEXT) == []
    [row] = await desk.listed("duplicates", CONTEXT, "--all")
    assert (row["accepted by"], row["reason"]) == ("ann", "counted again")
    await desk.stores.commits.check()
    await desk.stores.log.append(plain_commit("stock-a", 3))
