"""Commits in MongoDB: one document each, in the collection `commits` of the context's database."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from typing import Any

import structlog
from bson import decode, encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.regex import Regex
from bson.timestamp import Timestamp
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from treaty.commits.commit import Commit, Fold
from treaty.commits.log import Batch, Behind, Place, StoreAway
from treaty.commits.store import Inserted, OutcomeUnknown, of_causes
from treaty.mongo.documents import CODEC, from_document, sorted_out, to_document, under, within
from treaty.mongo.driver import LOCAL, reaching, session
from treaty.mongo.guard import Guard
from treaty.mongo.reader import OpeningTimedOut, Reader

logger = structlog.get_logger()

MAX_BYTES = 2_000_000
"""A larger commit is refused: MongoDB would take 16 MB, but every reader would have to as well."""

_OF_MESSAGES = {"causes.digest": ""}
"""The commits with the cause of a message, a call or a timer: those of a client's command have a digest."""

_DUPLICATE_KEY = 11000
_PASSING = {6, 7, 13, 18, 43, 50, 63, 89, 91, 133, 150, 189, 234, 237, 262, 9001, 10107, 11600, 11602, 13435, 13436}
"""Errors of a reading that another one may not meet: unreachable hosts, elections, killed cursors, missing rights."""


class MongoCommits:
    """The commit store of one context."""

    def __init__(self, client: Any, database: Any) -> None:
        self._client = client
        self._database = database
        self._commits = database.get_collection("commits", codec_options=CODEC)
        self._local = database.get_collection("commits", read_concern=LOCAL, codec_options=CODEC)
        self._folds = database.get_collection("folds", codec_options=CODEC)
        self._guard = Guard(self._commits)

    async def prepare(self) -> None:
        """Makes the indexes: a cause once per stream, and the order for scans after a lost token."""
        await self._guard.prepare()
        with reaching():
            await self._commits.create_index([("position", 1)], name="position")
            await self._folds.create_index([("stream", 1), ("shape", 1), ("version", -1)], unique=True, name="stream")

    async def check(self) -> None:
        """Makes the unique index on causes again if somebody dropped it, and reads which streams take no commands.

        Raises:
            StoreAway: the index is missing and cannot be made now; until it is there, no commit is taken.
        """
        if await self._guard.check():
            await self.prepare()  # with the collection, all indexes are gone

    @property
    def unguarded(self) -> str:
        """Why no commit is taken, or nothing."""
        return self._guard.missing

    @property
    def refused(self) -> frozenset[str]:
        return self._guard.refused

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        """Inserts with `insert_many`, also a single one: it reports a missing majority beside a duplicate."""
        if self.unguarded:
            raise StoreAway(self.unguarded)
        documents = [_encoded(commit) for commit in commits]
        outcomes = [Inserted.REFUSED if document is None else Inserted.STORED for document in documents]
        sent = [index for index, document in enumerate(documents) if document is not None]
        if not sent:
            return outcomes
        try:
            await self._commits.insert_many([documents[index] for index in sent], ordered=False)
        except BulkWriteError as error:
            if error.details and error.details.get("writeConcernErrors"):
                raise OutcomeUnknown(str(error.details["writeConcernErrors"][0].get("errmsg"))) from error
            for failed in (error.details or {})["writeErrors"]:
                outcomes[sent[failed["index"]]] = _outcome(failed)
        except PyMongoError as error:
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
        return outcomes

    async def head(self, stream: str, *, fresh: bool = False) -> Commit | None:
        with reaching():
            if not fresh:
                return await self._latest(self._commits, stream, None)
            async with session(self._client) as causal:
                await self._latest(self._local, stream, causal)
                return await self._latest(self._commits, stream, causal)

    async def read(
        self, stream: str, *, first: int = 1, last: int | None = None, states: bool = True, most: int = 0
    ) -> Sequence[Commit]:
        with reaching():
            found = self._commits.find(within(stream, first, last), None if states else {"state": 0}).sort("_id", 1)
            one_reply = found.limit(-most)  # ends at 16 MB
            return [from_document(document) for document in await one_reply.to_list(None)]

    async def kept(self, stream: str, shape: str, version: int) -> Fold | None:
        wanted = {"stream": stream, "shape": shape, "version": {"$lte": version}}
        with reaching():
            found = await self._folds.find(wanted).sort("version", -1).limit(1).to_list(1)
        return Fold(stream, shape, found[0]["version"], found[0]["state"], found[0]["exists"]) if found else None

    async def keep(self, fold: Fold) -> None:
        key = {"stream": fold.stream, "shape": fold.shape, "version": fold.version}
        with reaching():
            await self._folds.replace_one(key, {**key, "state": fold.state, "exists": fold.exists}, upsert=True)

    async def forget(self, stream: str, first: int) -> None:
        with reaching():
            await self._folds.delete_many({"stream": stream, "version": {"$gte": first}})

    async def under(self, prefix: str) -> Sequence[Commit]:
        wanted = under(prefix)
        with reaching():
            async with session(self._client) as causal:
                await self._local.find(wanted, session=causal).sort("_id", -1).limit(1).to_list(1)
                found = await self._commits.find(wanted, session=causal).to_list(None)
        commits, _ = sorted_out(found)
        return sorted(commits, key=lambda commit: (commit.stream, commit.version))

    async def replace(self, commit: Commit) -> None:
        with reaching():
            raw = self._database.get_collection(
                "commits", codec_options=CODEC.with_options(document_class=RawBSONDocument)
            )
            found = await raw.find_one({"_id": commit.id})
            document = {**to_document(commit), "position": Timestamp(*commit.position)}
            if found is None:
                await self._commits.insert_one(document)
                return
            if not sorted_out([decode(found.raw, CODEC)])[1]:
                raise ValueError(f"{commit.id} can be read")
            await self._database.get_collection("commits_aside").insert_one({"commit": commit.id, "document": found})
            same = {"_id": commit.id, "$expr": {"$eq": ["$$ROOT", {"$literal": found}]}}
            if not (await self._commits.replace_one(same, document)).matched_count:
                raise StoreAway(f"{commit.id} was changed meanwhile; look at it again")

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        with reaching():
            found = self._commits.find({"stream": stream, "causes.id": {"$in": list(causes)}})
            return [from_document(document) for document in await found.to_list(None)]

    async def took_effect(self, causes: Sequence[str]) -> Set[str]:
        with reaching():
            await self._commits.create_index([("causes.id", 1)], name="inbox", partialFilterExpression=_OF_MESSAGES)
            found = await self._commits.find(having(causes), {"_id": 0, "causes.id": 1}, hint="inbox").to_list(None)
        return of_causes((cause["id"] for commit in found for cause in commit["causes"]), causes)

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Follows the majority change stream; a place that it cannot resume from is searched for by position."""
        pause = 0.1
        while True:
            try:
                async with session(self._client) as own:
                    async for batch in Reader(self._database, self._commits, own).batches(place):
                        _raise_if_cancelled()
                        pause = 0.1
                        place = batch.place
                        yield batch
            except PyMongoError as error:
                _raise_if_cancelled()
                if place.token and _needs_a_scan(error):
                    logger.warning("the log is searched for a lost place", why=str(error))
                    place = Place("", place.position)
                    continue
                logger.debug("the log is read again", why=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, 3.0)

    async def end(self) -> Place:
        with reaching():
            async with session(self._client) as own:
                return await Reader(self._database, self._commits, own).end()

    async def behind(self, place: Place) -> Behind:
        total = {"events": {"$sum": _size("$outbox")}, "calls": {"$sum": _size("$calls")}}
        pipeline = [
            {"$match": {"position": {"$gt": Timestamp(*place.position)}}},
            {"$group": {"_id": None, "commits": {"$sum": 1}, **total}},
        ]
        with reaching():
            answer = await self._database.command({"aggregate": "commits", "pipeline": pipeline, "cursor": {}})
        counts = next(iter(answer["cursor"]["firstBatch"]), {"commits": 0, "events": 0, "calls": 0})
        return Behind(counts["commits"], counts["events"], counts["calls"])

    async def peek(self, place: Place, limit: int, *, publishing: bool = False) -> Sequence[Commit]:
        wanted: dict[str, Any] = {"position": {"$gt": Timestamp(*place.position)}}
        if publishing:
            wanted["outbox.0"] = {"$exists": True}
        with reaching():
            found = self._commits.find(wanted, {"state": 0}).sort("position", 1).limit(limit)
            commits, _ = sorted_out(await found.to_list(None))
            return commits

    async def streams(self, prefix: str, limit: int) -> Sequence[str]:
        """Jumps from stream to stream in the index of causes, however long each is."""
        found: list[str] = []
        names: dict[str, Any] = {"$gte": prefix, "$lt": f"{prefix}\U0010ffff"}
        while len(found) < limit:
            with reaching():
                first = await self._commits.find({"stream": names}, {"stream": 1}).sort("stream", 1).limit(1).to_list(1)
            if not first:
                break
            found.append(first[0]["stream"])
            names = {"$gt": found[-1], "$lt": f"{prefix}\U0010ffff"}
        return found

    async def _latest(self, commits: Any, stream: str, causal: Any) -> Commit | None:
        found = await commits.find(within(stream, 0, None), session=causal).sort("_id", -1).limit(1).to_list(1)
        return from_document(found[0]) if found else None


def _raise_if_cancelled() -> None:
    """Raises CancelledError if the task was cancelled and goes on all the same.

    A driver may take a cancellation for a broken connection, and raise an error of its own or try again.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def having(causes: Sequence[str]) -> dict[str, Any]:
    """Returns the condition for the commits with one of the causes or a step of one.

    MongoDB looks up a prefix in the index only if the pattern has no flags; one that Python has compiled has some.
    """
    steps = [Regex(f"^{re.escape(cause)}/") for cause in causes]
    return {**_OF_MESSAGES, "causes.id": {"$in": [*causes, *steps]}}


def _needs_a_scan(error: PyMongoError) -> bool:
    """Returns whether a stream cannot be resumed: its token is lost, or opening it takes longer than an answer may.

    The latter would be so with every try, because each begins at the same token.
    """
    lost = isinstance(error, OperationFailure) and error.code not in _PASSING
    return lost or isinstance(error, OpeningTimedOut)


def _size(field: str) -> dict[str, Any]:
    """Returns the expression for the size of a list; 0 for a field that is none."""
    return {"$cond": [{"$isArray": field}, {"$size": field}, 0]}


def _encoded(commit: Commit) -> RawBSONDocument | None:
    """Returns the document, or None if MongoDB could not keep it.

    It may be too large, nested too deep, have a number beyond 64 bits, or half a surrogate pair. One commit must not
    fail those that are stored in the same request.
    """
    try:
        data = encode(to_document(commit))
    except (BSONError, ValueError, OverflowError, RecursionError) as error:
        logger.warning("a commit cannot be stored", commit=ascii(commit.id), why=ascii(str(error))[:300])
        return None
    return RawBSONDocument(data) if len(data) <= MAX_BYTES else None


def _outcome(failed: Mapping[str, Any]) -> Inserted:
    return Inserted.DUPLICATE if failed["code"] == _DUPLICATE_KEY else Inserted.REFUSED
