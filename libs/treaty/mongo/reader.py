"""One reading of the commits in MongoDB: the scan by position, and the change stream behind it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from bson.timestamp import Timestamp
from pymongo.errors import NetworkTimeout, PyMongoError

from treaty.commits.log import MARGIN_SECONDS, Batch, Place
from treaty.mongo.documents import CODEC, sorted_out

_STEADY_SECONDS, _GATHER_SECONDS, _WORTH_A_ROUND_TRIP = 0.03, 0.01, 100
"""While batches come steadily, one after another within so many seconds, a reader waits a little behind those that are
small: each round trip costs as much as fifty commits do. A commit that comes alone is read at once.
"""

_WAIT_MS = 10_000
"""Milliseconds that the server waits for changes. It must be less than the time limit of a socket."""

UNPLACED = {"position": {"$not": {"$gte": Timestamp(0, 1)}}}
"""The documents that a scan by position would not come to. The index on positions finds them."""


class OpeningTimedOut(PyMongoError):
    """The change stream was not open in time: millions of changes elsewhere may lie behind its token."""


class Reader:
    """One reading of the change stream, in batches, with raw commands in one session.

    The drivers' own change streams hand over one event at a time; this is several times as fast.
    """

    def __init__(self, database: Any, commits: Any, own_session: Any) -> None:
        self._database, self._commits, self._session = database, commits, own_session

    async def batches(self, place: Place) -> AsyncGenerator[Batch, None]:
        now = None if place.token else await self._now()
        if now is None:
            cursor = await self._resume(place.token)
        else:
            cursor = await self._open({"startAtOperationTime": Timestamp(now.time, now.inc + 1)})
        try:
            if now is not None:
                async for batch in self._history(place, now):
                    place = batch.place
                    yield batch
            batch = self._batch(cursor, "firstBatch", place)
            loop, last = asyncio.get_running_loop(), float("-inf")
            while True:
                place, came = batch.place, loop.time()
                yield batch
                if batch.commits:
                    steady, last = came - last < _STEADY_SECONDS, came
                    if steady and len(batch.commits) < _WORTH_A_ROUND_TRIP:
                        await asyncio.sleep(_GATHER_SECONDS)
                batch = self._batch(await self._more(cursor["id"]), "nextBatch", place)
        finally:
            await self._kill(cursor["id"])

    async def end(self) -> Place:
        """Returns the place at which a stream that is opened now begins."""
        now = await self._now()
        cursor = await self._open({"startAtOperationTime": Timestamp(now.time, now.inc + 1)})
        await self._kill(cursor["id"])
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
        _, unreadable = sorted_out(
            await self._commits.find(UNPLACED, {"state": 0}, session=self._session).to_list(None)
        )
        if unreadable:
            yield Batch((), place, True, unreadable)
        while documents := await found.to_list(1000):
            commits, unreadable = sorted_out(documents)
            last: Timestamp = documents[-1]["position"]
            yield Batch(commits, Place("", (last.time, last.inc)), True, unreadable)

    async def _resume(self, token: str) -> Any:
        try:
            return await self._open({"resumeAfter": {"_data": token}})
        except NetworkTimeout as slow:
            raise OpeningTimedOut(str(slow)) from slow

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
            codec_options=CODEC,
        )
        return answer["cursor"]

    async def _kill(self, cursor: int) -> None:
        """Ends a cursor, and a request that waits at it: otherwise a process that stops would wait for its answer."""
        with contextlib.suppress(PyMongoError):
            await self._database.command({"killCursors": "commits", "cursors": [cursor]})

    async def _more(self, cursor: int) -> Any:
        answer = await self._database.command(
            {"getMore": cursor, "collection": "commits", "batchSize": 1000, "maxTimeMS": _WAIT_MS},
            session=self._session,
            codec_options=CODEC,
        )
        return answer["cursor"]

    @staticmethod
    def _batch(cursor: Any, name: str, before: Place) -> Batch:
        """Returns the batch. Its place is that of its last change, if any: so all that read the change have it."""
        changes = cursor[name]
        commits, unreadable = sorted_out([change["fullDocument"] for change in changes])
        position = max([before.position, *(commit.position for commit in commits)])
        token = changes[-1]["_id"]["_data"] if changes else cursor["postBatchResumeToken"]["_data"]
        return Batch(commits, Place(token, position), False, unreadable)
