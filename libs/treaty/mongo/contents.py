"""Contents in MongoDB, in the layout of GridFS: `content.chunks` has the pieces, `content.files` a document for each.

The drivers' own GridFS is not used: it buffers up to 48 MB of each content, and leaves pieces behind when a content
breaks off. Here at most eight pieces are in memory. The document in `content.files` is written last, so a content is
there completely or not at all.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Binary, ObjectId
from bson.errors import InvalidId

from treaty.contents import Content, Measured, Named, NoContent
from treaty.mongo.driver import reaching

_CHUNK = 255 * 1024
_TOGETHER = 8
"""Pieces that are inserted together."""

_AT_ONCE = 500


class MongoContents:
    """Keeps contents in a database."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._files = database.get_collection("content.files")
        self._chunks = database.get_collection("content.chunks")

    async def prepare(self) -> None:
        with reaching():
            await self._chunks.create_index([("files_id", 1), ("n", 1)], name="files_id_1_n_1", unique=True)

    async def put(self, pieces: AsyncIterator[bytes], *, owner: str) -> Content:
        id, measured = ObjectId(), Measured(pieces)
        try:
            await self._insert(id, measured)
            document = {
                "_id": id,
                "length": measured.size,
                "chunkSize": _CHUNK,
                "uploadDate": id.generation_time,
                "sha256": measured.sha256,
                "metadata": {"owner": owner},
            }
            with reaching():
                await self._files.insert_one(document)
        except BaseException:
            # A cancelled call must not leave pieces behind, so the removal is shielded from its cancellation.
            await asyncio.shield(self._remove(id))
            raise
        return Content(id=f"{owner}.{id}", size=measured.size, sha256=measured.sha256)

    async def get(self, id: str) -> AsyncGenerator[bytes, None]:
        key = _key(id)
        with reaching():
            file = await self._files.find_one({"_id": key}) if key else None
        if file is None:
            raise NoContent(f"there is no content {id}")
        left = file["length"]
        for n in range(-(-file["length"] // file["chunkSize"])):
            with reaching():
                chunk = await self._chunks.find_one({"files_id": key, "n": n})
            if chunk is None:
                break
            left -= len(chunk["data"])
            yield bytes(chunk["data"])
        if left:
            raise NoContent(f"{left:,} bytes of content {id} are missing")

    async def delete(self, id: str) -> bool:
        key = _key(id)
        return await self._remove(key) if key else False

    async def sweep(self, named: Named, *, older_than: timedelta) -> int:
        """The age of a content is that of its id, which is made before its first piece."""
        before = await self._now() - older_than
        bound = ObjectId.from_datetime(before)
        removed, last = 0, ObjectId("0" * 24)
        while ids := await self._stored(last, bound):
            last = ids[-1]
            whole = await self._whole(ids)
            known = await named(list(whole.values()))
            for id in ids:
                if whole.get(id) not in known:
                    removed += 1
                    await self._remove(id)
        return removed

    async def _whole(self, ids: Sequence[ObjectId]) -> Mapping[ObjectId, str]:
        """Returns the full ids of those contents that are complete; no commit can name another one."""
        with reaching():
            found = await self._files.find({"_id": {"$in": list(ids)}}, {"metadata": 1}).to_list(None)
        return {file["_id"]: f"{file['metadata']['owner']}.{file['_id']}" for file in found}

    async def _insert(self, id: ObjectId, pieces: Measured) -> None:
        waiting: list[dict[str, Any]] = []
        n = 0
        async for data in _cut(pieces):
            waiting.append({"files_id": id, "n": n, "data": Binary(data)})
            n += 1
            if len(waiting) == _TOGETHER:
                await self._flush(waiting)
                waiting = []
        await self._flush(waiting)

    async def _flush(self, waiting: Sequence[dict[str, Any]]) -> None:
        if waiting:
            with reaching():
                await self._chunks.insert_many(list(waiting))

    async def _remove(self, id: ObjectId) -> bool:
        """Removes the document first, so that nobody begins to read a content that is being removed."""
        with reaching():
            files = await self._files.delete_one({"_id": id})
            await self._chunks.delete_many({"files_id": id})
        return bool(files.deleted_count)

    async def _now(self) -> datetime:
        """Returns the time of the server."""
        with reaching():
            hello = await self._database.command("hello")
        now: datetime = hello["localTime"]
        return now if now.tzinfo else now.replace(tzinfo=UTC)

    async def _stored(self, after: ObjectId, before: ObjectId) -> Sequence[ObjectId]:
        """Returns some ids of contents, or of pieces of them, between two ids, in order."""
        with reaching():
            files = self._files.find({"_id": {"$gt": after, "$lt": before}}, {"_id": 1}).sort("_id", 1)
            found = {file["_id"] for file in await files.limit(_AT_ONCE).to_list(None)}
            found.update([id async for id in self._owners(after, before)])
        return sorted(found)[:_AT_ONCE]

    async def _owners(self, after: ObjectId, before: ObjectId) -> AsyncIterator[ObjectId]:
        """Yields the ids of contents that have pieces; jumps from one to the next in the index."""
        for _ in range(_AT_ONCE):
            between = {"files_id": {"$gt": after, "$lt": before}}
            chunk = await self._chunks.find(between, {"files_id": 1}).sort("files_id", 1).limit(1).to_list(1)
            if not chunk:
                return
            after = chunk[0]["files_id"]
            yield after


def _key(id: str) -> ObjectId | None:
    try:
        return ObjectId(id.rpartition(".")[2])
    except InvalidId:
        return None


async def _cut(pieces: Measured) -> AsyncIterator[bytes]:
    """Yields chunks of the size of GridFS; the last one may be smaller."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= _CHUNK:
            yield bytes(buffer[:_CHUNK])
            del buffer[:_CHUNK]
    if buffer:
        yield bytes(buffer)
