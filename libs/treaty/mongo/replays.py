"""Replays in MongoDB, in the collection `replays` of the consuming context's database."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from treaty.domain import Conflict
from treaty.messaging.replays import OPEN, Replay
from treaty.mongo.driver import reaching

_NOT_OVER = {"status": {"$in": list(OPEN)}}


class MongoReplays:
    """Keeps replays; the unique index on `open`, a replay's producer, allows one open replay for each producer."""

    def __init__(self, database: Any) -> None:
        self._replays = database.get_collection("replays")

    async def prepare(self) -> None:
        with reaching():
            await self._replays.create_index("open", name="open", unique=True, sparse=True)
            await self._replays.create_index([("at", -1)], name="at")

    async def add(self, replay: Replay) -> None:
        with reaching():
            try:
                await self._replays.insert_one(_document(replay))
            except DuplicateKeyError:
                raise Conflict(f"a replay of {replay.producer} is not over") from None

    async def get(self, id: str) -> Replay | None:
        with reaching():
            document = await self._replays.find_one({"_id": id})
        return _replay(document) if document else None

    async def open(self) -> Sequence[Replay]:
        with reaching():
            found = await self._replays.find(_NOT_OVER).sort([("at", 1), ("_id", 1)]).to_list(None)
        return [_replay(document) for document in found]

    async def find(self, limit: int = 100) -> Sequence[Replay]:
        with reaching():
            found = await self._replays.find({}).sort([("at", -1), ("_id", -1)]).limit(limit).to_list(None)
        return [_replay(document) for document in found]

    async def hold(self, id: str, partition: int) -> None:
        with reaching():
            await self._replays.update_one({"_id": id}, {"$addToSet": {"holding": partition}})

    async def deliver(self, id: str) -> bool:
        with reaching():
            result = await self._replays.update_one({"_id": id, **_NOT_OVER}, {"$set": {"status": "delivering"}})
        return bool(result.matched_count)

    async def passed(self, id: str, partition: int) -> None:
        passed = {"$setUnion": ["$passed", [partition]]}
        last = {"$and": [{"$eq": [{"$size": passed}, "$partitions"]}, {"$in": ["$status", list(OPEN)]}]}
        values = {
            "passed": passed,
            "status": {"$cond": [last, "done", "$status"]},
            "open": {"$cond": [last, "$$REMOVE", "$open"]},
        }
        with reaching():
            await self._replays.update_one({"_id": id}, [{"$set": values}])

    async def abandon(self, id: str) -> bool:
        over = {"$set": {"status": "abandoned"}, "$unset": {"open": ""}}
        with reaching():
            result = await self._replays.update_one({"_id": id, **_NOT_OVER}, over)
        return bool(result.matched_count)


def _document(replay: Replay) -> dict[str, Any]:
    return {
        "_id": replay.id,
        "producer": replay.producer,
        "types": list(replay.types),
        "streams": list(replay.streams),
        "partitions": replay.partitions,
        "since": replay.since,
        "until": replay.until,
        "reason": replay.reason,
        "by": replay.by,
        "at": replay.at,
        "status": replay.status,
        "holding": sorted(replay.holding),
        "passed": sorted(replay.passed),
        "open": replay.producer,
    }


def _replay(document: Mapping[str, Any]) -> Replay:
    return Replay(
        id=document["_id"],
        producer=document["producer"],
        types=tuple(document["types"]),
        streams=tuple(document["streams"]),
        partitions=document["partitions"],
        since=document["since"],
        until=document["until"],
        reason=document["reason"],
        by=document["by"],
        at=document["at"],
        status=document["status"],
        holding=frozenset(document["holding"]),
        passed=frozenset(document["passed"]),
    )
