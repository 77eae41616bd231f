"""The rows of a projection in MongoDB, in a collection of their own."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pymongo import ReplaceOne
from pymongo.errors import DuplicateKeyError

from treaty.followers import LeaseLost
from treaty.mongo.driver import reaching, session
from treaty.projections import Key, Projection, Row


class MongoRows:
    def __init__(self, client: Any, database: Any, projection: Projection[Any]) -> None:
        self._client = client
        self._name = f"view_{projection.name}"
        self._order_by = f"values.{projection.order_by}"
        self._filters = [f"values.{name}" for name in projection.filters]
        self._rows = database.get_collection(self._name)
        self._fences = database.get_collection("fences")

    async def prepare(self) -> None:
        """Makes an index for every set of filters, with the order behind it."""
        with reaching():
            for fields in self._filter_sets():
                keys = [*((name, 1) for name in fields), (self._order_by, -1), ("_id", -1)]
                await self._rows.create_index(keys)
            await self._fences.update_one({"_id": self._name}, {"$setOnInsert": {"epoch": 0}}, upsert=True)

    async def load(self, ids: Sequence[str]) -> Mapping[str, Row]:
        with reaching():
            found = await self._rows.find({"_id": {"$in": list(ids)}}).to_list(None)
        return {document["_id"]: _row(document) for document in found}

    async def store(self, rows: Sequence[Row], epoch: int) -> None:
        writes = [
            ReplaceOne({"_id": row.id}, {"version": row.version, "values": row.values}, upsert=True) for row in rows
        ]

        async def transaction(own: Any) -> None:
            try:
                await self._fences.update_one(
                    {"_id": self._name, "epoch": {"$lte": epoch}},
                    {"$set": {"epoch": epoch}},
                    upsert=True,
                    session=own,
                )
            except DuplicateKeyError:
                raise LeaseLost(f"epoch {epoch} is over") from None
            await self._rows.bulk_write(writes, ordered=False, session=own)

        with reaching():
            async with session(self._client) as own:
                await own.with_transaction(transaction)

    async def find(self, where: Mapping[str, Any], after: Key | None, limit: int) -> Sequence[Row]:
        query: dict[str, Any] = {f"values.{name}": value for name, value in where.items()}
        query["values"] = {"$ne": None}
        if after is not None:
            value, id = after
            query["$or"] = [{self._order_by: {"$lt": value}}, {self._order_by: value, "_id": {"$lt": id}}]
        with reaching():
            found = self._rows.find(query).sort([(self._order_by, -1), ("_id", -1)]).limit(limit)
            return [_row(document) for document in await found.to_list(None)]

    def _filter_sets(self) -> Iterator[tuple[str, ...]]:
        for size in range(len(self._filters) + 1):
            yield from combinations(self._filters, size)


def _row(document: Mapping[str, Any]) -> Row:
    return Row(document["_id"], document["version"], document["values"])
