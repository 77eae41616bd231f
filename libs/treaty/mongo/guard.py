"""The guard of idempotence: the unique index on a stream's causes, and what is done if somebody dropped it."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pymongo import timeout
from pymongo.errors import DuplicateKeyError, OperationFailure

from treaty.commits.duplicates import DUPLICATES, duplicates_of, extra_id, found
from treaty.commits.log import StoreAway
from treaty.mongo.documents import sorted_out, to_document, under, within
from treaty.mongo.driver import reaching

logger = structlog.get_logger()

_DUPLICATE_KEY = 11000
_REPAIR_SECONDS = 3600.0
"""Seconds that one step of the repair may take: each goes over the whole log."""

_KEY = [("stream", 1), ("causes.id", 1)]

_REPEATED: Sequence[Mapping[str, Any]] = (
    {"$match": {"stream": {"$type": "string"}, "_id": {"$type": "string"}}},
    {"$project": {"stream": 1, "causes.id": 1}},
    {"$unwind": "$causes"},
    {"$match": {"causes.id": {"$type": "string"}}},
    {"$group": {"_id": {"stream": "$stream", "cause": "$causes.id"}, "commits": {"$addToSet": "$_id"}}},
    {"$match": {"commits.1": {"$exists": True}}},
)
"""Finds the causes that several commits of a stream have."""


class Guard:
    """Keeps the index, and knows the streams that take no commands.

    Attributes:
        missing: why no commit is taken at all, or nothing.
        refused: the streams with duplicates that nobody has accepted.
    """

    def __init__(self, commits: Any) -> None:
        self._commits = commits
        self.missing = ""
        self.refused: frozenset[str] = frozenset()

    async def prepare(self) -> None:
        """Makes the index. Duplicates that keep it away are listed and told apart first: see `_tell_apart`."""
        with reaching():
            if not await self._is_there():
                try:
                    await self._make()
                except OperationFailure as failure:
                    if failure.code != _DUPLICATE_KEY:
                        raise
                    await self._tell_apart()
                    await self._make()
            entries, _ = sorted_out(await self._commits.find(under(DUPLICATES)).sort("_id", 1).to_list(None))
        self.refused = frozenset(one.stream for one in duplicates_of(entries) if not one.accepted)

    async def check(self) -> bool:
        """Makes the index again if somebody dropped it, and returns whether that was so.

        Without it a repeat takes effect again.

        Raises:
            StoreAway: the index is missing and cannot be made now; until it is there, no commit is taken.
        """
        with reaching():
            there = await self._is_there()
        if not there:
            self.missing = "the unique index on causes is missing, so a repeat would take effect again"
            logger.error("the unique index on causes is missing; no commit is taken until it is there again")
        try:
            await self.prepare()
        except StoreAway as failure:
            if there:
                raise
            self.missing = f"{self.missing}, and it cannot be made: {failure}"
            raise StoreAway(self.missing) from None
        self.missing = ""
        if not there:
            logger.warning("the unique index on causes was made again")
        return not there

    async def _is_there(self) -> bool:
        """Returns whether there is a unique index on a stream's causes, under any name."""
        known = await self._commits.index_information()
        return any(
            index.get("unique") and index["key"] == _KEY and not index.keys() & {"partialFilterExpression", "sparse"}
            for index in known.values()
        )

    async def _make(self) -> None:
        with timeout(_REPAIR_SECONDS):
            await self._commits.create_index(_KEY, unique=True, name="causes")

    async def _tell_apart(self) -> None:
        """Gives every effect of a cause after its first another id, so that the index can be made.

        A stream is listed before its commits are changed: it takes no command until a person has accepted that.
        """
        while repeated := await self._repeated():
            for one in repeated:
                await self._list(one)
                await self._rename(one)

    async def _repeated(self) -> Sequence[Mapping[str, Any]]:
        """Returns the next causes that took effect more than once."""
        asked = {
            "aggregate": "commits",
            "pipeline": list(_REPEATED),
            "allowDiskUse": True,
            "cursor": {"batchSize": 1000},
        }
        with timeout(_REPAIR_SECONDS):
            answer = await self._commits.database.command(asked)
        found: Sequence[Mapping[str, Any]] = answer["cursor"]["firstBatch"]
        return found

    async def _list(self, one: Mapping[str, Any]) -> None:
        stream, cause = one["_id"]["stream"], one["_id"]["cause"]
        text = f"{cause} in {', '.join(_in_order(one))}"
        logger.error("a cause took effect more than once", stream=stream, cause=cause)
        listed = self._commits.find(within(f"{DUPLICATES}{stream}", 1, None)).sort("_id", 1)
        entries, _ = sorted_out(await listed.to_list(None))
        known = [text for before in duplicates_of(entries) if not before.accepted for text in before.causes]
        if text not in known:
            entry = found(stream, [*known, text], len(entries) + 1)
            try:
                await self._commits.insert_one(to_document(entry))
            except DuplicateKeyError:
                logger.info("another process lists the duplicates too", stream=stream)

    async def _rename(self, one: Mapping[str, Any]) -> None:
        cause = one["_id"]["cause"]
        for id in _in_order(one)[1:]:
            renamed = {"$set": {"causes.$[repeat].id": extra_id(cause, id)}}
            await self._commits.update_one({"_id": id}, renamed, array_filters=[{"repeat.id": cause}])


def _in_order(one: Mapping[str, Any]) -> Sequence[str]:
    """Returns the ids of the commits that have a cause, in the order of their versions."""
    return sorted(one["commits"])
