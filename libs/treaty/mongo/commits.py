"""Commits in MongoDB: one document each, in the collection `commits` of the context's database."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import structlog
from bson import encode
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from treaty.commits.commit import Commit
from treaty.commits.group_commit import Inserted, OutcomeUnknown
from treaty.commits.log import Batch, Behind, Place, StoreAway
from treaty.mongo.documents import from_document, to_document
from treaty.mongo.driver import LOCAL, reaching, session

logger = structlog.get_logger()

MAX_BYTES = 2_000_000
"""A larger commit is refused: MongoDB would take 16 MB, but every reader would have to as well."""

MARGIN_SECONDS = 10
"""How far behind the last position a lost token is searched for: positions are nearly in the order of the log."""

_BUSY, _WORTH_A_ROUND_TRIP, _GATHER_SECONDS = 4, 100, 0.01
"""Under load a reader waits a little between small batches: each round trip costs as much as fifty commits do."""

_CODEC: CodecOptions[Any] = CodecOptions(tz_aware=True)
_DUPLICATE_KEY = 11000
_GUARD = [("stream", 1), ("causes.id", 1)]
"""The key of the unique index on which idempotence rests."""

_PASSING = {6, 7, 13, 18, 43, 50, 63, 89, 91, 133, 150, 189, 234, 237, 262, 9001, 10107, 11600, 11602, 13435, 13436}
"""Errors of a reading that another one may not meet: unreachable hosts, elections, killed cursors, missing rights."""


class MongoCommits:
    """The commit store of one context."""

    def __init__(self, client: Any, database: Any) -> None:
        self._client = client
        self._database = database
        self._commits = database.get_collection("commits")
        self._local = database.get_collection("commits", read_concern=LOCAL)
        self._unguarded = ""

    async def prepare(self) -> None:
        """Makes the indexes: a cause once per stream, and the order for scans after a lost token."""
        with reaching():
            if not await self._is_guarded():
                await self._commits.create_index(_GUARD, unique=True, name="causes")
            await self._commits.create_index([("position", 1)], name="position")

    async def check(self) -> None:
        """Makes the unique index on causes again if somebody dropped it. Without it a repeat takes effect again.

        Raises:
            StoreAway: the index is missing and cannot be made now; until it is there, no commit is taken.
        """
        with reaching():
            guarded = await self._is_guarded()
        if guarded:
            self._unguarded = ""
            return
        self._unguarded = "the unique index on causes is missing, so a repeat would take effect again"
        logger.error("the unique index on causes is missing; no commit is taken until it is there again")
        try:
            await self.prepare()
        except StoreAway as failure:
            self._unguarded += f", and it cannot be made: {failure}"
            raise StoreAway(self._unguarded) from None
        self._unguarded = ""
        logger.warning("the unique index on causes was made again")

    async def _is_guarded(self) -> bool:
        """Returns whether there is a unique index on a stream's causes, under any name."""
        known = await self._commits.index_information()
        return any(
            index.get("unique") and index["key"] == _GUARD and not index.keys() & {"partialFilterExpression", "sparse"}
            for index in known.values()
        )

    @property
    def unguarded(self) -> str:
        """Why no commit is taken, or nothing."""
        return self._unguarded

    async def insert(self, commits: Sequence[Commit]) -> Sequence[Inserted]:
        """Inserts with `insert_many`, also a single one: it reports a missing majority beside a duplicate."""
        if self._unguarded:
            raise StoreAway(self._unguarded)
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

    async def read(self, stream: str, *, first: int = 1, last: int | None = None) -> Sequence[Commit]:
        with reaching():
            lowest, end = f"{stream}@{first:012d}", f"{stream}@:" if last is None else f"{stream}@{last + 1:012d}"
            within = {"_id": {"$gte": lowest, "$lt": end}, "stream": stream}
            found = self._commits.find(within).sort("_id", 1)
            return [from_document(document) for document in await found.to_list(None)]

    async def caused_by(self, stream: str, causes: Sequence[str]) -> Sequence[Commit]:
        with reaching():
            found = self._commits.find({"stream": stream, "causes.id": {"$in": list(causes)}})
            return [from_document(document) for document in await found.to_list(None)]

    async def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        """Follows the majority change stream; a place that is too old is searched for by position instead."""
        pause = 0.1
        while True:
            try:
                async with session(self._client) as own:
                    async for batch in _Reading(self._database, self._commits, own).batches(place):
                        pause = 0.1
                        place = batch.place
                        yield batch
            except PyMongoError as error:
                if place.token and isinstance(error, OperationFailure) and error.code not in _PASSING:
                    logger.warning("the log is searched for a lost place", why=str(error))
                    place = Place("", place.position)
                    continue
                logger.debug("the log is read again", why=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, 3.0)

    async def end(self) -> Place:
        with reaching():
            async with session(self._client) as own:
                return await _Reading(self._database, self._commits, own).end()

    async def behind(self, place: Place) -> Behind:
        total = {"events": {"$sum": {"$size": "$outbox"}}, "calls": {"$sum": {"$size": "$calls"}}}
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
            return [from_document(document) for document in await found.to_list(None)]

    async def streams(self, prefix: str, limit: int) -> Sequence[str]:
        """Jumps from stream to stream in the index of causes, however long each is."""
        found: list[str] = []
        within: dict[str, Any] = {"$gte": prefix, "$lt": f"{prefix}\U0010ffff"}
        while len(found) < limit:
            with reaching():
                first = (
                    await self._commits.find({"stream": within}, {"stream": 1}).sort("stream", 1).limit(1).to_list(1)
                )
            if not first:
                break
            found.append(first[0]["stream"])
            within = {"$gt": found[-1], "$lt": f"{prefix}\U0010ffff"}
        return found

    async def _latest(self, commits: Any, stream: str, causal: Any) -> Commit | None:
        within = {"_id": {"$gte": f"{stream}@", "$lt": f"{stream}@:"}, "stream": stream}
        found = await commits.find(within, session=causal).sort("_id", -1).limit(1).to_list(1)
        return from_document(found[0]) if found else None


def _encoded(commit: Commit) -> RawBSONDocument | None:
    """Returns the document, or None if MongoDB could not keep it: too large, or a number beyond 64 bits."""
    try:
        data = encode(to_document(commit))
    except (BSONError, OverflowError) as error:
        logger.warning("a commit cannot be stored", commit=commit.id, why=str(error))
        return None
    return RawBSONDocument(data) if len(data) <= MAX_BYTES else None


def _outcome(failed: Mapping[str, Any]) -> Inserted:
    return Inserted.DUPLICATE if failed["code"] == _DUPLICATE_KEY else Inserted.REFUSED


class _Reading:
    """One reading of the change stream, in batches, with raw commands in one session.

    The drivers' own change streams hand over one event at a time; this is several times as fast.
    """

    def __init__(self, database: Any, commits: Any, own_session: Any) -> None:
        self._database, self._commits, self._session = database, commits, own_session

    async def batches(self, place: Place) -> AsyncGenerator[Batch, None]:
        if place.token:
            cursor = await self._open({"resumeAfter": {"_data": place.token}})
        else:
            now = await self._now()
            cursor = await self._open({"startAtOperationTime": Timestamp(now.time, now.inc + 1)})
            async for batch in self._history(place, now):
                place = batch.place
                yield batch
        batch = self._batch(cursor, "firstBatch", place)
        while True:
            place = batch.place
            yield batch
            if _BUSY <= len(batch.commits) < _WORTH_A_ROUND_TRIP:
                await asyncio.sleep(_GATHER_SECONDS)
            batch = self._batch(await self._more(cursor["id"]), "nextBatch", place)

    async def end(self) -> Place:
        """Returns the place at which a stream that is opened now begins."""
        now = await self._now()
        cursor = await self._open({"startAtOperationTime": Timestamp(now.time, now.inc + 1)})
        await self._database.command({"killCursors": "commits", "cursors": [cursor["id"]]}, session=self._session)
        return Place(cursor["postBatchResumeToken"]["_data"], (now.time, now.inc))

    async def _now(self) -> Timestamp:
        """Returns a time that the server has reached: history ends with it, and the new stream begins behind it.

        Left to itself, a new stream begins at the cluster's time, which is ahead of writes that have their place in
        the oplog and are not applied yet. Those would be in neither.
        """
        answer = await self._database.command({"ping": 1}, session=self._session)
        now: Timestamp = answer["operationTime"]
        return now

    async def _history(self, place: Place, until: Timestamp) -> AsyncGenerator[Batch, None]:
        """Scans by position up to a time, and with the session's causality sees everything that happened by then.

        What is newer is left to the stream. Otherwise the scan could come to a commit whose predecessor, inserted
        behind its back, only the stream will show.
        """
        since = Timestamp(max(place.position[0] - MARGIN_SECONDS, 0), 0)
        wanted = {"position": {"$gte": since, "$lte": until}}
        found = self._commits.find(wanted, {"state": 0}, session=self._session).sort("position", 1)
        while documents := await found.to_list(1000):
            commits = [from_document(document) for document in documents]
            yield Batch(commits, Place("", commits[-1].position), again=True)

    async def _open(self, start: Mapping[str, Any]) -> Any:
        pipeline = [
            {"$changeStream": dict(start)},
            {"$match": {"operationType": "insert"}},
            {"$project": {"fullDocument.state": 0}},
        ]
        answer = await self._database.command(
            {
                "aggregate": "commits",
                "pipeline": pipeline,
                "cursor": {"batchSize": 1000},
                "readConcern": {"level": "majority"},
            },
            session=self._session,
            codec_options=_CODEC,
        )
        return answer["cursor"]

    async def _more(self, cursor: int) -> Any:
        answer = await self._database.command(
            {"getMore": cursor, "collection": "commits", "batchSize": 1000, "maxTimeMS": 1000},
            session=self._session,
            codec_options=_CODEC,
        )
        return answer["cursor"]

    @staticmethod
    def _batch(cursor: Any, name: str, before: Place) -> Batch:
        commits = [from_document(change["fullDocument"]) for change in cursor[name]]
        position = max([before.position, *(commit.position for commit in commits)])
        return Batch(commits, Place(cursor["postBatchResumeToken"]["_data"], position))
