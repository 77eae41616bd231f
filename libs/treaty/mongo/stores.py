"""All stores of one context, in its own database."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import StoreAway
from treaty.contents import Contents
from treaty.mongo.commits import MongoCommits
from treaty.mongo.contents import MongoContents
from treaty.mongo.driver import database, reaching
from treaty.mongo.leases import MongoCheckpoints, MongoLeases
from treaty.mongo.majority import Majority
from treaty.mongo.pending import MongoPending
from treaty.mongo.personal_data import MongoPersonalData
from treaty.mongo.quarantine import MongoQuarantine
from treaty.mongo.replays import MongoReplays
from treaty.mongo.rows import MongoRows
from treaty.mongo.seals import MongoSeals
from treaty.projections.projection import Projection
from treaty.surroundings import Surroundings

CHECK_SECONDS = 30.0
"""Seconds between looks at the index on which idempotence rests."""

_LOOK_SECONDS = 1.0
"""Seconds for which one `ping` waits for such a look."""

ASK_SECONDS = 5.0
"""Seconds for which a good answer of the primary counts, if a majority has all that it had."""


class MongoStores:
    """The stores of one context.

    Args:
        client: a client of either driver, shared by the contexts of a process; the caller closes it.
        contents: a storage of contents outside of the database; by default they are in it.
        key: keys the references of personal data; the same for all processes of a context.
        patience: seconds after which a commit in flight makes `ping` raise StoreAway.
    """

    def __init__(
        self,
        client: Any,
        context: str,
        *,
        surroundings: Surroundings,
        key: bytes = b"",
        patience: float = 5.0,
        contents: Contents | None = None,
    ) -> None:
        self._client = client
        self._patience = patience
        self._check_at = self._ask_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._majority = Majority(patience)
        self._database = database(client, context)
        self.commits = MongoCommits(client, self._database)
        self.log = GroupCommitLog(self.commits, surroundings=surroundings)
        self.leases = MongoLeases(self._database)
        self.checkpoints = MongoCheckpoints(self._database)
        self.pending = MongoPending(self._database)
        self.quarantine = MongoQuarantine(self._database)
        self.replays = MongoReplays(self._database)
        self._own_contents = MongoContents(self._database)
        self.contents: Contents = contents or self._own_contents
        self.seals = MongoSeals(client, self._database)
        self.personal_data = MongoPersonalData(self._database, hashlib.blake2b(key).digest())

    def rows(self, projection: Projection[Any]) -> MongoRows:
        return MongoRows(self._client, self._database, projection)

    async def prepare(self, projections: Sequence[Projection[Any]]) -> None:
        await self.commits.prepare()
        await self.pending.prepare()
        await self.quarantine.prepare()
        await self.replays.prepare()
        await self.personal_data.prepare()
        await self._own_contents.prepare()
        for projection in projections:
            await self.rows(projection).prepare()

    async def ping(self) -> None:
        """Checks that there is a primary, that a majority follows it, and that commits become durable.

        Raises:
            StoreAway: if one of them is not so.
        """
        self.log.check(self._patience)
        now = asyncio.get_running_loop().time()
        if now >= self._ask_at:
            await self._ask(now)
        await self._look_at_the_index(now)
        if self.commits.unguarded:
            raise StoreAway(self.commits.unguarded)

    async def _look_at_the_index(self, now: float) -> None:
        """Looks at the index in a task of its own: making it again may take minutes, and no caller waits so long."""
        if self._looking is None and now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            self._looking = asyncio.create_task(self.commits.check())
        if self._looking is None:
            return
        await asyncio.wait([self._looking], timeout=_LOOK_SECONDS)
        if self._looking is not None and self._looking.done():
            look, self._looking = self._looking, None
            await look

    async def _ask(self, now: float) -> None:
        """Asks the primary for its state. While a majority is behind, it is asked each time."""
        with reaching():
            hello = await self._client.admin.command("hello")
        if not hello.get("isWritablePrimary"):
            raise StoreAway("there is no primary to write to")
        if self._majority.lags(hello, now):
            raise StoreAway("the majority does not follow the primary: no commit can become durable")
        if not self._majority.is_behind:
            self._ask_at = now + ASK_SECONDS
