"""The rows of a projection in MongoDB, in a collection of its own for each generation."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pymongo import ReadPreference, ReplaceOne, ReturnDocument
from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure, PyMongoError

from treaty.followers.leases import LeaseLost
from treaty.mongo.driver import DURABLE, SNAPSHOT, aggregated, reaching, session, snapshot
from treaty.mongo.writing_session import WritingSession
from treaty.projections.projection import Projection
from treaty.projections.rows import (
    Among,
    Between,
    Facets,
    Key,
    Outdated,
    Row,
    RowRefused,
    RowsRefused,
    Superseded,
    Where,
    Words,
)
from treaty.projections.similar import Near

_DUPLICATE_KEY, _TOO_LARGE = 11000, 10334
_NOT_ALLOWED = {13, 166}
"""A missing right, and a write to a view. They concern one read model, so they are no outage of the store for all."""


class MongoRows:
    """The rows of one projection.

    The collection `fences` has a document `view_<name>` with the served generation, the latest generation that a
    rebuild began, and the latest epoch.
    """

    def __init__(self, client: Any, database: Any, projection: Projection[Any]) -> None:
        self._client, self._database = client, database
        self._name = f"view_{projection.name}"
        self._order_by = f"values.{projection.order_by}"
        self._direction = -1 if projection.descending else 1
        self._filters = [f"values.{name}" for name in projection.filters]
        self._fences = database.get_collection("fences")
        self._writing = WritingSession(client, self._fences, self._name)

    async def prepare(self) -> None:
        """Makes the first generation, and an index for each set of up to two filters, each with the order."""
        with reaching():
            first = {"epoch": 0, "generation": 0}
            await self._fences.update_one({"_id": self._name}, {"$setOnInsert": first}, upsert=True)
        await self._index(await self.generation())

    async def generation(self) -> int:
        with reaching():
            fence = await self._fences.find_one({"_id": self._name})
        return int((fence or {}).get("generation", 0))

    async def begin(self) -> int:
        known = {"$max": [{"$ifNull": ["$begun", 0]}, {"$ifNull": ["$generation", 0]}]}
        with reaching():
            fence = await self._fences.find_one_and_update(
                {"_id": self._name},
                [{"$set": {"begun": {"$add": [known, 1]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            generation = int(fence["begun"])
            await self._rows(generation).drop()
        await self._index(generation)
        return generation

    async def serve(self, generation: int) -> None:
        with reaching():
            served = await self._fences.update_one(
                {"_id": self._name, "begun": generation}, {"$set": {"generation": generation}}
            )
        if not served.matched_count:
            raise Superseded(f"another generation of {self._name} was begun after {generation}")

    async def retain(self, *generations: int) -> Sequence[int]:
        with reaching():
            found = await self._database.list_collection_names()
            older = {generation for generation in self._generations(found) if generation < max(generations)}
            others = sorted(older - set(generations))
            for generation in others:
                await self._rows(generation).drop()
        return others

    def _generations(self, collections: Sequence[str]) -> Iterator[int]:
        for name in collections:
            if name == self._name:
                yield 0
            elif name.startswith(f"{self._name}~"):
                yield int(name.removeprefix(f"{self._name}~"))

    async def load(self, ids: Sequence[str], generation: int | None = None) -> Mapping[str, Row]:
        rows = self._rows(await self.generation() if generation is None else generation)
        with reaching():
            try:
                found = await rows.find({"_id": {"$in": list(ids)}}).to_list(None)
            except OperationFailure as error:
                raise self._meaning(error) from None
        return {document["_id"]: _row(document) for document in found}

    async def store(
        self, rows: Sequence[Row], epoch: int, generation: int, *, before: Mapping[str, int] | None = None
    ) -> None:
        target = self._rows(generation)
        writes = [_write(row, (before or {}).get(row.id)) for row in rows]

        async def transaction(own: Any) -> None:
            if epoch >= 0:
                await self._pass_fence(epoch, generation, own)
            try:
                done = await target.bulk_write(writes, ordered=False, session=own)
            except (BulkWriteError, DocumentTooLarge, OperationFailure) as error:
                raise self._meaning(error) from None
            if done.matched_count + done.upserted_count != len(writes):
                raise Outdated(f"a row of {self._name} was changed since it was loaded")

        with reaching():
            async with self._writing.use() if epoch >= 0 else session(self._client) as own:
                await own.with_transaction(transaction, SNAPSHOT, DURABLE, ReadPreference.PRIMARY)

    async def store_newer(self, rows: Sequence[Row], generation: int) -> None:
        """The filter does not match a row that is there in a later version; then the upsert collides with it."""
        writes = [
            ReplaceOne(
                {"_id": row.id, "version": {"$lt": row.version}},
                {"version": row.version, "values": row.values},
                upsert=True,
            )
            for row in rows
        ]
        with reaching():
            try:
                await self._rows(generation).bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                self._must_be_newer(error)
            except (DocumentTooLarge, OperationFailure) as error:
                raise self._meaning(error) from None

    def _must_be_newer(self, error: BulkWriteError) -> None:
        """Passes over rows that are there in a later version; raises everything else that went wrong."""
        details = error.details or {}
        if details.get("writeConcernErrors"):
            raise error
        failed = [one for one in details.get("writeErrors", ()) if one["code"] != _DUPLICATE_KEY]
        if failed:
            raise RowRefused(f"MongoDB refuses a row of {self._name}: {failed[0].get('errmsg')}")

    def _meaning(self, error: Exception) -> Exception:
        """Returns what an error means: a changed row, a refused row, refused rows, or the error itself."""
        if isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError"):
            return error
        failed = (error.details or {}).get("writeErrors", ()) if isinstance(error, BulkWriteError) else ()
        if any(one["code"] == _DUPLICATE_KEY for one in failed):
            return Outdated(f"a row of {self._name} was changed since it was loaded")
        if failed:
            return RowRefused(f"MongoDB refuses a row of {self._name}: {failed[0].get('errmsg')}")
        if isinstance(error, DocumentTooLarge) or getattr(error, "code", None) == _TOO_LARGE:
            return RowRefused(f"MongoDB refuses a row of {self._name}: {error}")
        if getattr(error, "code", None) in _NOT_ALLOWED:
            return RowsRefused(f"MongoDB refuses the rows of {self._name}: {error}")
        return error

    async def find(self, where: Where, after: Key | None, limit: int) -> Sequence[Row]:
        with reaching():
            rows = self._rows(await self.generation())
            conditions = await _all(rows, where)
            if after is not None:
                conditions.append(self._behind(*after))
            order = [(self._order_by, self._direction), ("_id", self._direction)]
            found = rows.find({"$and": conditions}).sort(order).limit(limit)
            return [_row(document) for document in await found.to_list(None)]

    async def count(self, where: Where) -> int:
        with reaching():
            rows = self._rows(await self.generation())
            found: int = await rows.count_documents({"$and": await _all(rows, where)})
        return found

    async def facets(self, where: Where, names: Sequence[str], *, most: int, among: int) -> Facets:
        with reaching():
            rows = self._rows(await self.generation())
            counts = {f"of_{name}": [{"$limit": among}, *_frequencies(f"values.{name}", most)] for name in names}
            [found] = await aggregated(
                rows,
                [
                    {"$match": {"$and": await _all(rows, where)}},
                    {"$sort": {self._order_by: self._direction, "_id": self._direction}},
                    {"$limit": among + 1},
                    {"$facet": {"all": [{"$count": "rows"}], **counts}},
                ],
            )
        total = found["all"][0]["rows"] if found["all"] else 0
        return Facets(
            total=min(total, among),
            complete=total <= among,
            counts={name: [(one["_id"], one["rows"]) for one in found[f"of_{name}"]] for name in names},
        )

    async def everything(self, generation: int) -> Sequence[Row]:
        with reaching():
            async with snapshot(self._client) as own:
                found = await self._rows(generation).find({}, session=own).to_list(None)
        return [_row(document) for document in found]

    def _rows(self, generation: int) -> Any:
        return self._database.get_collection(self._name + (f"~{generation}" if generation else ""))

    def _behind(self, value: Any, id: str) -> dict[str, Any]:
        beyond = "$lt" if self._direction < 0 else "$gt"
        return {"$or": [{self._order_by: {beyond: value}}, {self._order_by: value, "_id": {beyond: id}}]}

    async def _pass_fence(self, epoch: int, generation: int, own: Any) -> None:
        fence = await self._fences.find_one_and_update(
            {"_id": self._name, "epoch": {"$lte": epoch}, "generation": {"$in": [generation, None]}},
            {"$set": {"epoch": epoch, "generation": generation}},
            session=own,
        )
        if fence is None:
            known = await self._fences.find_one({"_id": self._name}, session=own) or {}
            if known.get("generation", 0) != generation:
                raise Superseded(self._name)
            raise LeaseLost(f"epoch {epoch} is over")

    async def _index(self, generation: int) -> None:
        rows = self._rows(generation)
        with reaching():
            for fields in self._filter_sets():
                order = [(self._order_by, self._direction), ("_id", self._direction)]
                await rows.create_index([*((name, 1) for name in fields), *order])

    def _filter_sets(self) -> Iterator[tuple[str, ...]]:
        for size in range(min(len(self._filters), 2) + 1):
            yield from combinations(self._filters, size)


def _write(row: Row, before: int | None) -> ReplaceOne[Any]:
    """Returns the write of a row, on the condition that it has the version `before`, if that is given."""
    found: dict[str, Any] = {"_id": row.id} if before is None else {"_id": row.id, "version": before}
    return ReplaceOne(found, {"version": row.version, "values": row.values}, upsert=not before)


async def _all(rows: Any, where: Where) -> list[dict[str, Any]]:
    """Returns the conditions, and one that excludes documents without a row."""
    each = [condition for name, value in where.items() for condition in _conditions(f"values.{name}", value)]
    near = [await _near(rows, name, value) for name, value in where.items() if isinstance(value, Near)]
    return [{"values": {"$ne": None}}, *each, *near]


async def _near(rows: Any, name: str, near: Near) -> dict[str, Any]:
    """MongoDB cannot count bits: it finds the hashes that have a part in common, and those that are near are taken."""
    found = rows.find({f"values.{name}": {"$in": near.keys}}, {f"values.{name}": True})
    ids = [document["_id"] async for document in found if near.meets(document["values"][name])]
    return {"_id": {"$in": ids}}


def _frequencies(field: str, most: int) -> list[dict[str, Any]]:
    return [
        {"$unwind": f"${field}"},
        {"$group": {"_id": f"${field}", "rows": {"$sum": 1}}},
        {"$sort": {"rows": -1, "_id": 1}},
        {"$limit": most},
    ]


def _conditions(field: str, value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case Among():
            yield {field: {"$in": list(value.values)}}
        case Between():
            bounds = {"$gte": value.low, "$lte": value.high}
            yield {field: {name: bound for name, bound in bounds.items() if bound is not None} or {"$exists": True}}
        case Near():
            pass
        case Words():
            yield from ({field: {"$regex": f"^{re.escape(word)}"}} for word in value.beginnings)
        case _:
            yield {field: value}


def _row(document: Mapping[str, Any]) -> Row:
    return Row(document["_id"], document["version"], document["values"])
