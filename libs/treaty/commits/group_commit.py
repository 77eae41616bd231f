"""The commit log on top of a store: group commit, and the resolution of unknown outcomes.

Commits of different streams are independent. Commits that arrive while a batch is in flight form the next batch, and
share one flush of the journal. A store only has to insert a batch and return the outcome of each commit.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import structlog

from treaty.chance import retrying
from treaty.commits.commit import Commit
from treaty.commits.duplicates import StreamDuplicated
from treaty.commits.log import Batch, CommitRefused, Place, StoreAway, Unreadable, VersionTaken
from treaty.commits.reader import Reader
from treaty.commits.store import CommitStore, Inserted, OutcomeUnknown
from treaty.concurrency.guarded import guarded
from treaty.concurrency.tasks import Broken
from treaty.surroundings import Surroundings

logger = structlog.get_logger()


_BUSY = 4
"""The size of a batch from which on the log waits for more commits, because more probably follow."""


@dataclass(slots=True)
class _Append:
    commit: Commit
    done: "asyncio.Future[None]"
    since: float
    in_doubt: bool = False


class GroupCommitLog:
    """A commit log that writes in groups.

    Args:
        store: keeps the commits.
        in_flight: the number of batches in flight at the same time; with one, the next batch is as large as possible.
        batch: the most commits in a batch.
        gather_seconds: seconds that a batch waits for more commits if the last batch was not small; no wait at low
            load.
    """

    def __init__(
        self,
        store: CommitStore,
        *,
        surroundings: Surroundings,
        in_flight: int = 1,
        batch: int = 500,
        gather_seconds: float = 0.012,
    ) -> None:
        self._store = store
        self._chance, self._probe = surroundings.chance, surroundings.probe
        self._waiting: list[_Append] = []
        self._free = in_flight
        self._gather_seconds = gather_seconds
        self._last = 0
        self._batch = batch
        self._sent: list[Sequence[_Append]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.head = store.head
        self.read = store.read
        self.caused_by, self.took_effect = store.caused_by, store.took_effect
        self.under, self.replace = store.under, store.replace
        self.kept, self.keep, self.forget = store.kept, store.keep, store.forget
        self.end = store.end
        self.behind = store.behind
        self.peek = store.peek
        self.streams = store.streams

    async def append(self, commit: Commit) -> None:
        if commit.stream in self._store.refused:
            raise StreamDuplicated(commit.stream)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Append(commit, done, loop.time()))
        self._send_soon()
        await done

    def follow(self, place: Place) -> AsyncGenerator[Batch, None]:
        return Reader(self._store, self.append, self._chance, self._probe).batches(place)

    def check(self, patience: float) -> None:
        """Raises StoreAway if a commit has been waiting or on its way for more than `patience` seconds."""
        oldest = [batch[0].since for batch in (*self._sent, self._waiting) if batch]
        seconds = asyncio.get_running_loop().time() - min(oldest) if oldest else 0.0
        if seconds > patience:
            raise StoreAway(f"a commit has not become durable for {seconds:.0f} s")

    def _send_soon(self) -> None:
        """Starts a batch. Its commits are chosen when its task runs, so that all appends until then join it."""
        if self._free and self._waiting:
            self._free -= 1
            task = asyncio.create_task(self._send())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        try:
            await asyncio.sleep(self._gather_seconds if self._last >= _BUSY else 0)
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            self._last = len(batch)
            if batch:
                self._probe.measure("treaty.commit.batch", len(batch))
                await self._insert_or_fail(batch)
        finally:
            self._free += 1
            self._send_soon()

    async def _insert_or_fail(self, batch: Sequence[_Append]) -> None:
        """Inserts a batch; passes a fault of the store's code to the callers, which would wait for ever otherwise."""
        self._sent.append(batch)
        try:
            await guarded(self._insert_until_known(batch))
        except Exception as fault:
            error = StoreAway(f"the outcome is unknown: {fault}") if isinstance(fault, Broken) else fault
            for append in batch:
                if not append.done.done():
                    append.done.set_exception(error)
        finally:
            self._sent.remove(batch)

    async def _insert_until_known(self, batch: Sequence[_Append]) -> None:
        """Sends the identical commits until the store has returned an outcome for each.

        A read instead would prove nothing: an insert can arrive after the read.
        """
        async for _ in retrying(self._chance, first=0.04, most=1.0):
            try:
                self._probe.reach("commit.sending")
                outcomes = await self._store.insert([append.commit for append in batch])
                self._probe.reach("commit.stored")
                break
            except OutcomeUnknown as unknown:
                for append in batch:
                    append.in_doubt = True
                self._probe.count("treaty.commit.unknown")
                logger.warning(
                    "the outcome of a batch is unknown; sending it again", commits=len(batch), why=str(unknown)
                )
        for append, outcome in zip(batch, outcomes, strict=True):
            await self._tell(append, outcome)

    async def _tell(self, append: _Append, outcome: Inserted) -> None:
        if append.done.done():
            return
        if outcome is Inserted.REFUSED:
            append.done.set_exception(CommitRefused(f"the store refuses {append.commit.id}"))
        elif outcome is Inserted.STORED or (append.in_doubt and await self._is_ours(append.commit)):
            append.done.set_result(None)
        else:
            append.done.set_exception(VersionTaken(append.commit.id))

    async def _is_ours(self, commit: Commit) -> bool:
        """Returns whether the commit stored at this version is the same attempt that was sent before."""
        async for _ in retrying(self._chance, first=0.2, most=0.2):
            try:
                found = await self._store.read(commit.stream, first=commit.version, last=commit.version)
                return bool(found) and found[0].token == commit.token
            except Unreadable:
                return False
            except Exception as away:
                logger.warning("a commit cannot be looked up yet", commit=commit.id, why=str(away))
        raise AssertionError("attempts never end")
