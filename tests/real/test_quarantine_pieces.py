"""Large bodies in the quarantine of MongoDB, and the documents that the version before has written or will read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue
from treaty.messaging.quarantine import LARGE, Quarantined
from treaty.mongo.driver import close, connect, database
from treaty.mongo.quarantine import MongoQuarantine
from treaty.testing.samples import NOON
from treaty.testing.suites.quarantine import kept

FIELDS_BEFORE = {
    *("_id", "partition", "key", "order", "headers", "body", "since", "error", "detail", "attempts", "next_try"),
    *("intent", "discarded", "schema", "waits_for"),
}
"""The fields that the version before reads and writes."""


@pytest.fixture
async def opened(servers: dict[str, str], context: str) -> AsyncIterator[Any]:
    client = connect(servers["MONGODB_URI"], "motor")
    yield database(client, context)
    await close(client)


def _large(id: str, size: int = LARGE + 1) -> Quarantined:
    item = kept(id, 1)
    return replace(item, envelope=replace(item.envelope, body=b"x" * size))


async def test_the_pieces_of_a_message_leave_with_it(opened: Any) -> None:
    quarantine = MongoQuarantine(opened)
    await quarantine.prepare()
    for id in ("a", "b"):
        await quarantine.add(_large(id))
    await opened.quarantine_pieces.insert_one({"owner": "made.up/a", "digest": b"of an add that was cut short", "n": 0})
    assert await quarantine.remove(_large("a"))
    assert set(await opened.quarantine_pieces.distinct("owner")) == {"made.up/b"}
    assert await quarantine.get("made.up/b") == _large("b")


async def test_the_version_before_finds_all_its_fields_and_cannot_take_a_reference_for_a_message(opened: Any) -> None:
    quarantine = MongoQuarantine(opened)
    await quarantine.add(_large("a"))
    stored = await opened.quarantine.find_one({})
    assert stored.keys() >= FIELDS_BEFORE
    with pytest.raises(DecodeError):
        BytesValue.FromString(stored["body"])
    await opened.quarantine.update_one({}, {"$set": {**stored, "attempts": 1, "error": "Malformed: the body is none"}})
    known = await quarantine.get("made.up/a")
    assert known is not None
    assert (known.attempts, known.envelope.body) == (1, _large("a").envelope.body)


@pytest.mark.parametrize("missing", [{"schema", "waits_for"}, set[str]()])
async def test_a_message_of_the_version_before_is_read(opened: Any, missing: set[str]) -> None:
    quarantine = MongoQuarantine(opened)
    await quarantine.add(replace(_large("a", 3 * LARGE), error="ValueError: no", next_try=NOON))
    before = await opened.quarantine.find_one({})
    inline = {name: value for name, value in before.items() if name in FIELDS_BEFORE - missing}
    await opened.quarantine.replace_one({}, {**inline, "body": b"y" * 3 * LARGE})
    await opened.quarantine_pieces.delete_many({})
    [held] = [item async for item in quarantine.held(0)]
    assert (held.failed, held.large, held.schema, held.waits_for) == (True, True, False, "")
    assert await quarantine.due(0, NOON) == ["k"]
    known = await quarantine.get(held.id)
    assert known is not None
    assert known.envelope.body == b"y" * 3 * LARGE
    assert await quarantine.update(known, replace(known, attempts=1))
    assert await quarantine.remove(replace(known, attempts=1))
