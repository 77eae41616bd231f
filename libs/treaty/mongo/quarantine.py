"""The quarantine in MongoDB, in the collection `quarantine` of the consuming context's database."""

import re
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from treaty.messaging.envelope import parse
from treaty.messaging.quarantine import EVERYTHING, LARGE, Answered, Held, Intent, Quarantined, Wanted
from treaty.mongo.documents import count_waiting
from treaty.mongo.driver import reaching
from treaty.mongo.pieces import REFERENCE_BYTES, Pieces
from treaty.probes import Waiting

_WAITING = {"discarded": ""}
_ASKED = {"intent.at": {"$exists": True}}

_SIZE = {"$binarySize": "$body"}
_HELD = {
    "key": 1,
    "order": 1,
    "headers.ce-type": 1,
    "headers.ce-source": 1,
    "headers.ce-sequence": 1,
    "next_try": 1,
    "schema": 1,
    "waits_for": 1,
    "failed": {"$ne": ["$error", ""]},
    "asked": {"$gt": ["$intent", None]},
    "missing": 1,
    "large": {"$or": [{"$gt": [_SIZE, LARGE]}, {"$eq": [_SIZE, REFERENCE_BYTES]}]},
}
"""The projection of `Held`."""

_DUE = [("partition", 1), ("discarded", 1), ("next_try", 1), ("missing", 1), ("key", 1)]
"""Has all that `due` reads, so that no message is fetched that is not due now."""

_BATCH = 500
_MOST_DUE = 10_000


class MongoQuarantine:
    def __init__(self, database: Any) -> None:
        self._items = database.get_collection("quarantine")
        self._answers = database.get_collection("quarantine_audit")
        self._bodies = Pieces(database.get_collection("quarantine_pieces"))
        self._answered_bodies = Pieces(database.get_collection("quarantine_audit_pieces"))

    async def prepare(self) -> None:
        with reaching():
            await self._items.create_index([("discarded", 1), ("partition", 1), ("order", 1)], name="order")
            await self._items.create_index([("key", 1), ("partition", 1), ("order", 1)], name="key")
            await self._items.create_index(_DUE, name="due")
            await self._items.create_index([("partition", 1)], name="asked", partialFilterExpression=_ASKED)
            await self._items.create_index([("discarded", 1), ("since", 1)], name="since")
            await self._answers.create_index([("message", 1), ("at", -1)], name="message")
            await self._answers.create_index([("at", -1)], name="at")
        await self._bodies.prepare()
        await self._answered_bodies.prepare()

    async def add(self, item: Quarantined) -> bool:
        document = await self._document(item)
        with reaching():
            try:
                await self._items.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def held(self, partition: int, *, key: str | None = None) -> AsyncIterator[Held]:
        where = {**_WAITING, "partition": partition, **({} if key is None else {"key": key})}
        found = self._items.find(where, _HELD, batch_size=_BATCH).sort("order", 1)
        with reaching():
            async for document in found:
                yield _held(document)

    async def size(self, partition: int) -> int:
        with reaching():
            return int(await self._items.count_documents({**_WAITING, "partition": partition}))

    async def asked(self, partition: int) -> Sequence[str]:
        return await self._keys({"partition": partition, **_WAITING, **_ASKED}, None)

    async def due(self, partition: int, now: datetime, *, away: Collection[str] = ()) -> Sequence[str]:
        where = {"partition": partition, **_WAITING, "next_try": {"$lte": now}}
        return await self._keys({**where, "missing": {"$nin": list(away)}} if away else where, [("next_try", 1)])

    async def _keys(self, where: Mapping[str, Any], order: Sequence[tuple[str, int]] | None) -> Sequence[str]:
        """Returns keys in an order that an index has: sorting in memory would take the bodies too."""
        with reaching():
            found = self._items.find(where, {"_id": 0, "key": 1}, sort=order).limit(_MOST_DUE)
            return list(dict.fromkeys([document["key"] for document in await found.to_list(None)]))

    async def update(self, known: Quarantined, new: Quarantined) -> bool:
        values = await self._document(new, body=new.envelope.body != known.envelope.body)
        del values["intent"], values["partition"]
        with reaching():
            result = await self._items.update_one(_still(known), {"$set": values})
        return bool(result.matched_count)

    async def assign(self, partition_of: Callable[[str], int]) -> None:
        with reaching():
            async for item in self._items.find({}, {"key": 1, "partition": 1}, batch_size=_BATCH):
                partition = partition_of(item["key"])
                if partition != item["partition"]:
                    await self._items.update_one({"_id": item["_id"]}, {"$set": {"partition": partition}})

    async def remove(self, known: Quarantined) -> bool:
        with reaching():
            found = await self._items.find_one_and_delete({**_still(known), "intent": None}, {"pieces": 1})
        if found is not None and found.get("pieces"):
            await self._bodies.sweep(known.id)
        return found is not None

    async def find(self, wanted: Wanted = EVERYTHING, *, limit: int = 100) -> Sequence[Quarantined]:
        where, order = {**_WAITING, **_conditions(wanted)}, [("partition", 1), ("order", 1)]
        with reaching():
            found = self._items.find(where, {"body": 0, "detail": 0}).sort(order).limit(limit)
            return [_item({**document, "body": b"", "detail": ""}) for document in await found.to_list(None)]

    async def waiting(self) -> Waiting:
        return await count_waiting(self._items, _WAITING)

    async def get(self, id: str) -> Quarantined | None:
        with reaching():
            document = await self._items.find_one({"_id": id})
        if document is None:
            return None
        document["body"] = await self._bodies.get(id, document["body"])
        if document["intent"]:
            document["intent"]["body"] = await self._bodies.get(id, document["intent"]["body"])
        return _item(document)

    async def knows(self, ids: Sequence[str]) -> Set[str]:
        with reaching():
            kept = await self._items.find({"_id": {"$in": list(ids)}}, {"_id": 1}).to_list(None)
            decided = await self._answers.find({"message": {"$in": list(ids)}}, {"message": 1}).to_list(None)
        return {*(item["_id"] for item in kept), *(answer["message"] for answer in decided)}

    async def intend(self, id: str, intent: Intent) -> bool:
        document = await _intent(self._bodies, id, intent)
        pieces = {"pieces": True} if len(intent.body) > LARGE else {}
        with reaching():
            result = await self._items.update_one({"_id": id, **_WAITING}, {"$set": {"intent": document, **pieces}})
        return bool(result.matched_count)

    async def note(self, answered: Answered) -> None:
        bodies, message = self._answered_bodies, answered.message
        intent = await _intent(bodies, message, answered.intent)
        before = await bodies.put(message, answered.before)
        id = f"{message}/{intent['at'].isoformat()}/{intent['action']}"
        known = {"message": message, "intent": intent, "at": answered.at, "outcome": answered.outcome}
        with reaching():
            await self._answers.update_one(
                {"_id": id}, {"$set": known, "$setOnInsert": {"before": before}}, upsert=True
            )

    async def answer(self, answered: Answered) -> None:
        await self.note(answered)
        intent = answered.intent
        with reaching():
            await self._items.update_one(
                {"_id": answered.message, "intent.at": intent.at, "intent.action": intent.action},
                {"$set": {"intent": None}},
            )

    async def answers(self, message: str = "", *, limit: int = 100) -> Sequence[Answered]:
        with reaching():
            found = self._answers.find({"message": message} if message else {}).sort("at", -1).limit(limit)
            documents = await found.to_list(None)
        return [await self._answered(document) for document in documents]

    async def _answered(self, document: Mapping[str, Any]) -> Answered:
        message, intent = document["message"], _intent_from(document["intent"])
        return Answered(
            message=message,
            intent=replace(intent, body=await self._answered_bodies.get(message, intent.body)),
            at=document["at"],
            outcome=document["outcome"],
            before=await self._answered_bodies.get(message, document["before"]),
        )

    async def _document(self, item: Quarantined, *, body: bool = True) -> dict[str, Any]:
        """Returns the document of a message, with its body or without it; writes the pieces of a large body."""
        document: dict[str, Any] = {
            "_id": item.id,
            "partition": item.partition,
            "key": item.key,
            "order": item.order,
            "headers": item.envelope.headers(),
            "since": item.since,
            "error": item.error,
            "detail": item.detail,
            "attempts": item.attempts,
            "next_try": item.next_try,
            "intent": None if item.intent is None else await _intent(self._bodies, item.id, item.intent),
            "discarded": item.discarded,
            "schema": item.schema,
            "waits_for": item.waits_for,
            "missing": item.missing,
            "raw": [list(header) for header in item.raw],
        }
        if body:
            document["body"] = await self._bodies.put(item.id, item.envelope.body)
        if max(len(item.envelope.body), len(item.intent.body if item.intent else b"")) > LARGE:
            document["pieces"] = True
        return document


def _still(known: Quarantined) -> dict[str, Any]:
    """Returns the condition that a message has not been discarded or tried since it was read."""
    return {"_id": known.id, **_WAITING, "attempts": known.attempts, "next_try": known.next_try}


def _conditions(wanted: Wanted) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if wanted.type:
        conditions["headers.ce-type"] = {"$regex": rf"(^|\.){re.escape(wanted.type)}$"}
    if wanted.error:
        conditions["error"] = {"$regex": re.escape(wanted.error), "$options": "i"}
    if wanted.key:
        conditions["key"] = wanted.key
    if wanted.until is not None:
        conditions["since"] = {"$lte": wanted.until}
    if wanted.schema:
        conditions["schema"] = True
    return conditions


async def _intent(bodies: Pieces, owner: str, intent: Intent) -> dict[str, Any]:
    return {
        "action": intent.action,
        "reason": intent.reason,
        "at": intent.at,
        "by": intent.by,
        "body": await bodies.put(owner, intent.body),
    }


def _intent_from(document: Mapping[str, Any]) -> Intent:
    """Returns the intent. Unknown fields are read over."""
    return Intent(
        action=document["action"],
        reason=document["reason"],
        at=document["at"],
        by=document["by"],
        body=document["body"],
    )


def _held(document: Mapping[str, Any]) -> Held:
    headers = document["headers"]
    return Held(
        id=document["_id"],
        type=sys.intern(headers.get("ce-type", "")),
        key=document["key"],
        order=document["order"],
        source=headers.get("ce-source", ""),
        sequence=headers.get("ce-sequence", ""),
        failed=document["failed"],
        next_try=document["next_try"],
        schema=document.get("schema", False),
        waits_for=document.get("waits_for", ""),
        asked=document["asked"],
        large=document["large"],
        missing=document.get("missing", ""),
    )


def _item(document: Mapping[str, Any]) -> Quarantined:
    return Quarantined(
        id=document["_id"],
        partition=document["partition"],
        key=document["key"],
        order=document["order"],
        envelope=parse(document["headers"], document["body"]),
        since=document["since"],
        error=document["error"],
        detail=document["detail"],
        attempts=document["attempts"],
        next_try=document["next_try"],
        intent=_intent_from(document["intent"]) if document["intent"] else None,
        discarded=document["discarded"],
        schema=document.get("schema", False),
        waits_for=document.get("waits_for", ""),
        missing=document.get("missing", ""),
        raw=tuple((name, value) for name, value in document.get("raw", ())),
    )
