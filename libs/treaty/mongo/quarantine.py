"""The quarantine in MongoDB, in the collection `quarantine` of the consuming context's database."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from treaty.messaging.envelope import parse
from treaty.messaging.quarantine import EVERYTHING, Answered, Intent, Quarantined, Wanted
from treaty.mongo.documents import count_waiting
from treaty.mongo.driver import reaching
from treaty.probes import Waiting

_WAITING = {"discarded": ""}


class MongoQuarantine:
    def __init__(self, database: Any) -> None:
        self._items = database.get_collection("quarantine")
        self._answers = database.get_collection("quarantine_audit")

    async def prepare(self) -> None:
        with reaching():
            await self._items.create_index([("discarded", 1), ("partition", 1), ("order", 1)], name="order")
            await self._items.create_index([("key", 1), ("partition", 1), ("order", 1)], name="key")
            await self._answers.create_index([("message", 1), ("at", -1)], name="message")
            await self._answers.create_index([("at", -1)], name="at")

    async def add(self, item: Quarantined) -> None:
        with reaching():
            try:
                await self._items.insert_one(_document(item))
            except DuplicateKeyError:
                return

    async def held(self, partition: int, *, key: str | None = None) -> Sequence[Quarantined]:
        return await self._find({**_WAITING, "partition": partition, **({} if key is None else {"key": key})}, 0)

    async def update(self, item: Quarantined) -> None:
        values = _document(item)
        del values["intent"]
        with reaching():
            await self._items.update_one({"_id": item.id}, {"$set": values})

    async def remove(self, id: str) -> None:
        with reaching():
            await self._items.delete_one({"_id": id})

    async def find(self, wanted: Wanted = EVERYTHING, *, limit: int = 100) -> Sequence[Quarantined]:
        return await self._find({**_WAITING, **_conditions(wanted)}, limit)

    async def waiting(self) -> Waiting:
        return await count_waiting(self._items, _WAITING)

    async def get(self, id: str) -> Quarantined | None:
        with reaching():
            document = await self._items.find_one({"_id": id})
        return _item(document) if document else None

    async def intend(self, id: str, intent: Intent) -> bool:
        with reaching():
            result = await self._items.update_one({"_id": id, **_WAITING}, {"$set": {"intent": _intent(intent)}})
        return bool(result.matched_count)

    async def note(self, answered: Answered) -> None:
        intent = _intent(answered.intent)
        id = f"{answered.message}/{intent['at'].isoformat()}/{intent['action']}"
        known = {"message": answered.message, "intent": intent, "at": answered.at, "outcome": answered.outcome}
        with reaching():
            await self._answers.update_one(
                {"_id": id}, {"$set": known, "$setOnInsert": {"before": answered.before}}, upsert=True
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
            return [_answered(document) for document in await found.to_list(None)]

    async def _find(self, where: Mapping[str, Any], limit: int) -> Sequence[Quarantined]:
        with reaching():
            found = self._items.find(where).sort([("partition", 1), ("order", 1)]).limit(limit)
            return [_item(document) for document in await found.to_list(None)]


def _document(item: Quarantined) -> dict[str, Any]:
    return {
        "_id": item.id,
        "partition": item.partition,
        "key": item.key,
        "order": item.order,
        "headers": item.envelope.headers(),
        "body": item.envelope.body,
        "since": item.since,
        "error": item.error,
        "detail": item.detail,
        "attempts": item.attempts,
        "next_try": item.next_try,
        "intent": None if item.intent is None else _intent(item.intent),
        "discarded": item.discarded,
        "schema": item.schema,
        "waits_for": item.waits_for,
    }


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


def _intent(intent: Intent) -> dict[str, Any]:
    return {
        "action": intent.action,
        "reason": intent.reason,
        "at": intent.at,
        "by": intent.by,
        "body": intent.body,
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


def _answered(document: Mapping[str, Any]) -> Answered:
    return Answered(
        message=document["message"],
        intent=_intent_from(document["intent"]),
        at=document["at"],
        outcome=document["outcome"],
        before=document["before"],
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
    )
