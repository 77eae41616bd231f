"""Personal data in MongoDB, in the collection `private` of the context's database."""

from collections.abc import Mapping
from typing import Any

from treaty.mongo.driver import reaching
from treaty.personal_data import reference


class MongoPersonalData:
    """Keeps personal data; `key` keys the hash of the references, and is the process's digest key."""

    def __init__(self, database: Any, key: bytes) -> None:
        self._private = database.get_collection("private")
        self._key = key

    async def prepare(self) -> None:
        with reaching():
            await self._private.create_index([("subject", 1)], name="subject")

    async def keep(self, subject: str, data: Mapping[str, str]) -> str:
        ref = reference(subject, data, self._key)
        kept = {"subject": subject, "data": dict(data)}
        with reaching():
            await self._private.update_one({"_id": ref}, {"$setOnInsert": kept}, upsert=True)
        return ref

    async def find(self, ref: str) -> Mapping[str, str] | None:
        with reaching():
            document = await self._private.find_one({"_id": ref})
        return document["data"] if document else None

    async def erase(self, subject: str) -> int:
        with reaching():
            return int((await self._private.delete_many({"subject": subject})).deleted_count)
