"""Seals in MongoDB, in the collection `seals` of the context's database, and its commits as they are stored."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import DuplicateKeyError

from treaty.commits.log import MARGIN_SECONDS
from treaty.mongo.documents import CODEC
from treaty.mongo.driver import reaching, session
from treaty.seals.seal import Leaf, Position, Seal, SealTaken, leaf_hash

_RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


_NUMBERED: Mapping[str, Any] = {"_id": {"$type": ["int", "long"], "$gt": 0}}


class MongoSeals:
    """The seals of one context; their numbers are their ids."""

    def __init__(self, client: Any, database: Any) -> None:
        self._client = client
        self._database = database
        self._seals = database.get_collection("seals", codec_options=CODEC)
        self._commits = database.get_collection("commits", codec_options=_RAW)

    async def settled(self) -> Position:
        """Up to a margin before the server's time: so old a commit has been stored by now, or never will be.

        The session's causality makes the time one that a majority has reached.
        """
        with reaching():
            async with session(self._client) as own:
                answer = await self._database.command({"ping": 1}, session=own)
                await self._commits.find({}, {"_id": 1}, session=own).limit(1).to_list(1)
        now: Timestamp = answer["operationTime"]
        return (max(now.time - MARGIN_SECONDS, 0), 0)

    async def last(self) -> Seal | None:
        with reaching():
            found = await self._seals.find(_NUMBERED).sort("_id", -1).limit(1).to_list(1)
        return _seal(found[0]) if found else None

    async def add(self, seal: Seal) -> None:
        with reaching():
            try:
                await self._seals.insert_one(_document(seal))
            except DuplicateKeyError:
                raise SealTaken(f"there is a seal {seal.number} of {seal.context}") from None

    async def all(self) -> AsyncGenerator[Seal, None]:
        with reaching():
            async for document in self._seals.find(_NUMBERED).sort("_id", 1):
                try:
                    yield _seal(document)
                except (AttributeError, KeyError, TypeError, ValueError):
                    yield _unreadable(document["_id"])

    async def leaves(self, after: Position, until: Position | None) -> AsyncGenerator[Leaf, None]:
        bounds = {"$gt": Timestamp(*after), **({"$lte": Timestamp(*until)} if until else {})}
        with reaching():
            async for document in self._commits.find({"position": bounds}).sort([("position", 1), ("_id", 1)]):
                position = document["position"]
                if not isinstance(position, Timestamp):
                    continue  # an array: it is among the strangers
                yield Leaf((position.time, position.inc), str(document["_id"]), leaf_hash(document.raw))

    async def strangers(self) -> Sequence[str]:
        placed = {"position": {"$type": "timestamp", "$gt": Timestamp(0, 0)}}
        with reaching():
            wrong = {"$or": [{"$nor": [placed]}, {"position": {"$type": "array"}}]}
            found = await self._commits.find(wrong, {"_id": 1}).to_list(None)
            others = await self._seals.find({"$nor": [_NUMBERED]}, {"_id": 1}).to_list(None)
        return [str(document["_id"]) for document in found] + [f"seal {document['_id']}" for document in others]

    async def holds(self, id: str) -> bool:
        with reaching():
            return await self._commits.find_one({"_id": id}, {"_id": 1}) is not None


def _document(seal: Seal) -> dict[str, Any]:
    return {
        "_id": seal.number,
        "context": seal.context,
        "after": list(seal.after),  # the server would replace an empty timestamp
        "until": list(seal.until),
        "ids": list(seal.ids),
        "leaves": seal.leaves,
        "root": seal.root,
        "before": seal.before,
        "sealed_at": seal.sealed_at,
        "signature": seal.signature,
    }


def _unreadable(number: int) -> Seal:
    """Returns a seal that covers nothing, in the place of a document that is none."""
    nobody = datetime.fromtimestamp(0, UTC)
    return Seal(
        context="", number=number, after=(0, 0), until=(0, 0), ids=(), leaves=b"", root="", before="", sealed_at=nobody
    )


def _seal(document: Mapping[str, Any]) -> Seal:
    return Seal(
        context=document["context"],
        number=document["_id"],
        after=_position(document["after"]),
        until=_position(document["until"]),
        ids=[str(id) for id in document["ids"]],
        leaves=bytes(document["leaves"]),
        root=document["root"],
        before=document["before"],
        sealed_at=document["sealed_at"],
        signature=document["signature"],
    )


def _position(values: Any) -> Position:
    seconds, increment = values
    return int(seconds), int(increment)
