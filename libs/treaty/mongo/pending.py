"""Pending work in MongoDB. All times are by the server's clock."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import BulkWriteError

from treaty.followers.pending import Item
from treaty.mongo.documents import count_waiting, later
from treaty.mongo.driver import reaching
from treaty.probes import Waiting


class MongoPending:
    """Keeps pending items; finds timers by their due time, and other items by their position in their lane."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._items = database.get_collection("pending")

    async def prepare(self) -> None:
        with reaching():
            await self._items.create_index([("timer", 1), ("due", 1)], name="timers")
            await self._items.create_index([("timer", 1), ("lane", 1), ("_id", 1)], name="lanes")

    async def add(self, items: Sequence[Item]) -> None:
        with reaching():
            try:
                await self._items.insert_many([_document(item) for item in items], ordered=False)
            except BulkWriteError as error:
                details = error.details or {}
                if details.get("writeConcernErrors") or any(e["code"] != 11000 for e in details["writeErrors"]):
                    raise

    async def due(self, limit: int) -> Sequence[Item]:
        due = {"$expr": {"$lte": ["$due", "$$NOW"]}}
        with reaching():
            timers = await self._items.find({"timer": True, **due}).sort("due", 1).limit(limit).to_list(None)
            first = await self._first_of_lanes()
            heads = {"_id": {"$in": first}, "$or": [{"due": None}, due]}
            runnable = await self._items.find(heads).limit(limit).to_list(None) if first else []
        return [_item(document) for document in [*timers, *runnable]]

    async def _first_of_lanes(self) -> list[str]:
        """Returns the ids of up to 1,000 items that are the first of their lane; reads the index only."""
        pipeline = [
            {"$match": {"timer": False}},
            {"$sort": {"timer": 1, "lane": 1, "_id": 1}},
            {"$group": {"_id": "$lane", "first": {"$first": "$_id"}}},
            {"$limit": 1000},
        ]
        answer = await self._database.command(
            {"aggregate": "pending", "pipeline": pipeline, "cursor": {"batchSize": 1000}}
        )
        return [document["first"] for document in answer["cursor"]["firstBatch"]]

    async def delay(self, item: Item, seconds: float) -> None:
        values = {"due": later(seconds), "attempts": item.attempts, "error": {"$literal": item.error}}
        with reaching():
            await self._items.update_one({"_id": item.id}, [{"$set": values}])

    async def done(self, id: str) -> None:
        with reaching():
            await self._items.delete_one({"_id": id})

    async def lanes(self) -> Mapping[str, str]:
        with reaching():
            found = await self._items.find({"timer": False}, {"lane": 1}).sort("_id", 1).to_list(None)
        return {document["lane"]: document["_id"] for document in found}

    async def find(self, limit: int) -> Sequence[Item]:
        with reaching():
            found = await self._items.find({}).sort("_id", 1).limit(limit).to_list(None)
        return [_item(document) for document in found]

    async def waiting(self) -> Waiting:
        return await count_waiting(self._items, {"timer": False})


def _document(item: Item) -> dict[str, Any]:
    return {
        "_id": item.id,
        "lane": item.lane,
        "timer": item.is_timer,
        "kind": item.kind,
        "body": item.body,
        "due": item.due,
        "attempts": item.attempts,
        "error": item.error,
        "since": item.since,
    }


def _item(document: Mapping[str, Any]) -> Item:
    return Item(
        id=document["_id"],
        lane=document["lane"],
        kind=document["kind"],
        body=document["body"],
        due=document["due"],
        attempts=document["attempts"],
        error=document["error"],
        since=document.get("since"),
    )
