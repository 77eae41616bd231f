"""Personal data in MongoDB, in the collection `private` of the context's database."""

from collections.abc import Mapping
from datetime import timedelta
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
            await self._private.create_index([("until", 1)], name="until", expireAfterSeconds=0)

    def reference(self, subject: str, data: Mapping[str, str]) -> str:
        return reference(subject, data, self._key)

    async def keep(self, subject: str, data: Mapping[str, str], *, lasting: timedelta | None = None) -> str:
        ref = self.reference(subject, data)
        kept: dict[str, Any] = {"subject": {"$literal": subject}, "data": {"$literal": dict(data)}}
        if lasting is not None:
            kept["until"] = {"$add": ["$$NOW", lasting // timedelta(milliseconds=1)]}
        with reaching():
            await self._private.update_one({"_id": ref}, [{"$replaceWith": {"_id": ref, **kept}}], upsert=True)
        return ref

    async def find(self, ref: str) -> Mapping[str, str] | None:
        with reaching():
            document = await self._private.find_one({"_id": ref})
        return document["data"] if document else None

    async def erase(self, subject: str) -> int:
        with reaching():
            return int((await self._private.delete_many({"subject": subject})).deleted_count)
