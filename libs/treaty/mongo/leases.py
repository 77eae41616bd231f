"""Leases and checkpoints in MongoDB. All times are by the server's clock."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from treaty.commits.log import Place
from treaty.followers.leases import Holder, LeaseLost
from treaty.mongo.documents import later
from treaty.mongo.driver import LOCAL, reaching


class MongoLeases:
    def __init__(self, database: Any) -> None:
        self._leases = database.get_collection("leases")
        self._latest = database.get_collection("leases", read_concern=LOCAL)

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        mine = {"$eq": ["$owner", {"$literal": owner}]}
        free = {"$or": [mine, {"$lte": [{"$ifNull": ["$expires", "$$NOW"]}, "$$NOW"]}]}
        epoch = {"$ifNull": ["$epoch", 0]}
        taken = {
            "owner": {"$cond": [free, {"$literal": owner}, "$owner"]},
            "expires": {"$cond": [free, later(seconds), "$expires"]},
            "epoch": {"$cond": [mine, epoch, {"$cond": [free, {"$add": [epoch, 1]}, epoch]}]},
        }
        with reaching():
            lease = await self._leases.find_one_and_update(
                {"_id": name}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(lease["epoch"]) if lease["owner"] == owner else None

    async def renew(self, owners: Mapping[str, str], seconds: float) -> Collection[str]:
        mine = {"$or": [{"_id": name, "owner": owner} for name, owner in owners.items()]}
        with reaching():
            result = await self._leases.update_many(mine, [{"$set": {"expires": later(seconds)}}])
            if result.matched_count == len(owners):
                return owners.keys()
            found = await self._latest.find(mine, {"_id": 1}).to_list(None)
        return {document["_id"] for document in found}

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
            UpdateOne({"_id": name, "epoch": {"$lte": epoch}}, [{"$set": _forward(place, epoch)}], upsert=True)
            for name, place in places.items()
        ]
        with reaching():
            if await self._fits(updates):
                return
            # A place that was there already, of a later epoch, or that another save of ours has just made: look again.
            if not await self._fits(updates):
                raise LeaseLost(f"epoch {epoch} is over")

    async def _fits(self, updates: Sequence[UpdateOne]) -> bool:
        """Writes places; returns False if one of them was not there to be changed and could not be made either."""
        try:
            await self._checkpoints.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            if any(failed["code"] == 11000 for failed in (error.details or {}).get("writeErrors", ())):
                return False
            raise
        return True

    async def note(self, name: str, error: str) -> None:
        first = {"token": "", "position": [0, 0], "epoch": 0}
        with reaching():
            await self._checkpoints.update_one(
                {"_id": name}, {"$set": {"error": error}, "$setOnInsert": first}, upsert=bool(error)
            )

    async def halted(self) -> Mapping[str, str]:
        with reaching():
            found = await self._checkpoints.find({"error": {"$nin": ["", None]}}, {"error": 1}).to_list(None)
        return {document["_id"]: document["error"] for document in found}

    async def forget(self, names: Sequence[str]) -> None:
        with reaching():
            await self._checkpoints.delete_many({"_id": {"$in": list(names)}})


def _forward(place: Place, epoch: int) -> dict[str, Any]:
    """Returns the fields of a checkpoint with this place, unless the stored one lies behind it."""
    token, position = {"$literal": place.token}, {"$literal": list(place.position)}
    stored = [{"$ifNull": ["$position", [0, 0]]}, {"$ifNull": ["$token", ""]}]
    ahead = {"$gte": [[position, token], stored]}
    return {
        "token": {"$cond": [ahead, token, "$token"]},
        "position": {"$cond": [ahead, position, "$position"]},
        "epoch": epoch,
    }
