"""Leases, checkpoints and pending work in MongoDB. All times are the server's."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from treaty.commits import Place
from treaty.followers import Holder, LeaseLost
from treaty.mongo.driver import reaching
from treaty.pending import Item
from treaty.standing import Standing


def _in(seconds: float) -> dict[str, Any]:
    return {"$add": ["$$NOW", int(seconds * 1000)]}


class MongoLeases:
    def __init__(self, database: Any) -> None:
        self._leases = database.get_collection("leases")

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        mine = {"$eq": ["$owner", {"$literal": owner}]}
        free = {"$or": [mine, {"$lte": [{"$ifNull": ["$expires", "$$NOW"]}, "$$NOW"]}]}
        epoch = {"$ifNull": ["$epoch", 0]}
        taken = {
            "owner": {"$cond": [free, {"$literal": owner}, "$owner"]},
            "expires": {"$cond": [free, _in(seconds), "$expires"]},
            "epoch": {"$cond": [mine, epoch, {"$cond": [free, {"$add": [epoch, 1]}, epoch]}]},
        }
        with reaching():
            lease = await self._leases.find_one_and_update(
                {"_id": name}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(lease["epoch"]) if lease["owner"] == owner else None

    async def release(self, name: str, owner: str) -> None:
        with reaching():
            await self._leases.update_one({"_id": name, "owner": owner}, [{"$set": {"owner": "", "expires": "$$NOW"}}])

    async def holders(self) -> Mapping[str, Holder]:
        held = {"owner": {"$ne": ""}, "$expr": {"$gt": ["$expires", "$$NOW"]}}
        with reaching():
            found = await self._leases.find(held).to_list(None)
        return {d["_id"]: Holder(owner=d["owner"], epoch=int(d["epoch"]), until=d["expires"]) for d in found}


class MongoCheckpoints:
    def __init__(self, database: Any) -> None:
        self._checkpoints = database.get_collection("checkpoints")

    async def load(self) -> Mapping[str, Place]:
        with reaching():
            found = await self._checkpoints.find({}).to_list(None)
        return {c["_id"]: Place(c["token"], tuple(c["position"])) for c in found}

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        updates = [
            UpdateOne(
                {"_id": name, "epoch": {"$lte": epoch}},
                {"$set": {"token": place.token, "position": list(place.position), "epoch": epoch}},
                upsert=True,
            )
            for name, place in places.items()
        ]
        with reaching():
            try:
                await self._checkpoints.bulk_write(updates, ordered=False)
            except BulkWriteError as error:
                if any(failed["code"] == 11000 for failed in (error.details or {}).get("writeErrors", ())):
                    raise LeaseLost(f"epoch {epoch} is over") from None
                raise

    async def forget(self, names: Sequence[str]) -> None:
        with reaching():
            await self._checkpoints.delete_many({"_id": {"$in": list(names)}})


class MongoPending:
    """Timers are found by their time; whatever has a lane, by its place in the lane."""

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
        """Returns the ids of up to 1,000 items that nothing of their lane is before; reads the index only."""
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
        values = {"due": _in(seconds), "attempts": item.attempts, "error": {"$literal": item.error}}
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

    async def standing(self) -> Standing:
        return await standing(self._items, {"timer": False})


async def standing(items: Any, waiting: Mapping[str, Any]) -> Standing:
    """Returns how many documents of a collection meet the condition, and the earliest `since` of them."""
    group = {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": "$since"}}
    pipeline = [{"$match": dict(waiting)}, {"$group": group}]
    with reaching():
        asked = {"aggregate": items.name, "pipeline": pipeline, "cursor": {}}
        answer = await items.database.command(asked, codec_options=items.codec_options)
    return next((Standing(found["count"], found["oldest"]) for found in answer["cursor"]["firstBatch"]), Standing(0))


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
