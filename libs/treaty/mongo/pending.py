"""Pending work in MongoDB. All times are by the server's clock."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError

from treaty.followers.pending import First, Item, Kind
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

    async def first(self, lanes: Sequence[str]) -> Mapping[str, First]:
        with reaching():
            timers = await self._find([{"$match": {"_id": {"$in": list(lanes)}, "timer": True}}])
            others = set(lanes) - timers.keys()
            found = await asyncio.gather(*(self._find(_first_of(lane)) for lane in others))
        return timers | {lane: first for one in found for lane, first in one.items()}

    async def _find(self, pipeline: Sequence[Mapping[str, Any]]) -> dict[str, First]:
        """Returns {lane: item} of the items that a pipeline finds."""
        left = {"$divide": [{"$subtract": [{"$ifNull": ["$due", "$$NOW"]}, "$$NOW"]}, 1000]}
        asked = {
            "aggregate": "pending",
            "pipeline": [*pipeline, {"$set": {"wait": left}}],
            "cursor": {"batchSize": 1000},
        }
        answer = await self._database.command(asked, codec_options=self._items.codec_options)
        return {
            document["lane"]: First(_item(document), max(document["wait"], 0.0))
            for document in answer["cursor"]["firstBatch"]
        }

    async def delay(self, item: Item, seconds: float) -> None:
        texts = {"error": {"$literal": item.error}, "missing": {"$literal": item.missing}}
        values = {"due": later(seconds), "attempts": item.attempts, **texts}
        with reaching():
            await self._items.update_one({"_id": item.id}, [{"$set": values}])

    async def done(self, id: str) -> None:
        with reaching():
            await self._items.delete_one({"_id": id})

    async def lanes(self) -> Mapping[str, str]:
        """Reads the index of lanes only."""
        with reaching():
            found = self._items.find({"timer": False}, {"lane": 1})
            ordered = found.sort([("timer", 1), ("lane", 1), ("_id", 1)]).hint("lanes")
            return {document["lane"]: document["_id"] for document in await ordered.to_list(None)}

    async def timers(self, limit: int) -> Mapping[str, datetime]:
        with reaching():
            found = self._items.find({"timer": True}, {"due": 1}).sort("due", 1).limit(limit)
            return {document["_id"]: document["due"] for document in await found.to_list(None)}

    async def now(self) -> datetime:
        with reaching():
            answer = await self._database.command("hello", codec_options=self._items.codec_options)
        now: datetime = answer["localTime"]
        return now

    async def find(self, limit: int, *, kind: Kind | None = None, due: bool = False) -> Sequence[Item]:
        wanted: dict[str, Any] = {"kind": kind} if kind else {}
        if due:
            wanted["$or"] = [{"timer": False}, {"due": {"$not": {"$gt": await self.now()}}}]
        with reaching():
            found = await self._items.find(wanted).sort("_id", 1).limit(limit).to_list(None)
        return [_item(document) for document in found]

    async def waiting(self) -> Waiting:
        return await count_waiting(self._items, {"timer": False})


def _first_of(lane: str) -> Sequence[Mapping[str, Any]]:
    return [{"$match": {"timer": False, "lane": lane}}, {"$sort": {"_id": 1}}, {"$limit": 1}]


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
        "missing": item.missing,
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
        missing=document.get("missing", ""),
    )
