"""Reads the stores of a proof from outside its processes: the work that is left, and the final verdict."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from treaty.chance import RandomIds
from treaty.clock import SystemClock
from treaty.commits.log import StoreAway
from treaty.messaging.quarantine import Intent, Wanted
from treaty.mongo.driver import close, connect, database, reaching
from treaty.mongo.stores import MongoStores
from treaty.operations.backlog import Backlog, backlog
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import Build
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing import while_moving

from scripts.lib.prove.checker import Operation, Verdict, check
from scripts.lib.prove.ground import CONTEXTS, load

_FAILED = Wanted(error=":")
"""Messages that failed. Their error begins with its kind; messages that wait behind them have none."""

_RETRIED = 1_000
"""Retries that are requested at a time."""

PARTITIONS = 4
"""The default number of partitions of an inbox."""


@dataclass(frozen=True, slots=True)
class Looking:
    """The stores of the contexts, and the broker; `load` returns the `build` of a context.

    Attributes:
        commits: the collection of the commits of each context.
    """

    stores: Mapping[str, MongoStores]
    commits: Mapping[str, Any]
    broker: RabbitBroker
    load: Callable[[str], Build] = load
    partitions: int = PARTITIONS

    async def settled(self, *, still: float = 60.0) -> str:
        """Waits until no work is left, as long as something moves, and requests retries of failed messages meanwhile.

        Returns a description of the work that is left, empty if there is none.

        Args:
            still: seconds without any change after which the rest is given up.
        """
        quiet, left = 0, "the stores were not read in time"

        async def is_quiet() -> bool:
            nonlocal quiet, left
            try:
                await self.ask_for_retries()
                left = await self._left()
            except Exception as away:
                left = f"{type(away).__name__}: {away}"
            quiet = 0 if left else quiet + 1
            await asyncio.sleep(0.3)
            return quiet >= 3

        with contextlib.suppress(AssertionError):
            await while_moving(is_quiet, lambda: self._progress(left), still=still, within=1800.0)
        return left

    async def _progress(self, left: str) -> object:
        return left, await self.moved()

    async def moved(self) -> Sequence[int]:
        """Returns numbers that change while work goes on: the numbers of commits, without counting them one by one."""
        try:
            with reaching():
                return [await commits.estimated_document_count() for commits in self.commits.values()]
        except StoreAway:
            return ()

    async def ask_for_retries(self) -> None:
        """Requests a retry of every failed message in quarantine, as a person would do."""
        for stores in self.stores.values():
            for item in await stores.quarantine.find(_FAILED, limit=_RETRIED):
                if not item.intent:
                    intent = Intent(action="retry", reason="it was mended", at=SystemClock().now())
                    await stores.quarantine.intend(item.id, intent)

    async def verdict(self, operations: Iterable[Operation], *, settled: bool) -> Verdict:
        return await check(operations, self.stores, settled=settled)

    async def backlog(self, context: str) -> Backlog:
        """Returns the work that is left in a context."""
        stores = self.stores[context]
        service = self.load(context)(Ports(stores=stores, surroundings=Surroundings()))
        return await backlog(service, stores, self.broker, self.partitions)

    async def _left(self) -> str:
        left = []
        for name, stores in self.stores.items():
            found = await self.backlog(name)
            now = await stores.pending.now()
            timers = sum(due <= now for due in (await stores.pending.timers(1000)).values())
            if not found.empty or timers:
                left.append(f"{name}: {found}, {timers} timers")
        return "; ".join(left)


@asynccontextmanager
async def looking(
    mongodb_uri: str, amqp_url: str, contexts: Sequence[str] = CONTEXTS, load: Callable[[str], Build] = load
) -> AsyncIterator[Looking]:
    """Opens the stores and the broker, beside the service processes."""
    client = connect(mongodb_uri, "motor")
    broker = RabbitBroker(amqp_url, name="proof", ids=RandomIds())
    stores = {name: MongoStores(client, name, surroundings=Surroundings()) for name in contexts}
    commits = {name: database(client, name).get_collection("commits") for name in contexts}
    try:
        yield Looking(stores, commits, broker, load)
    finally:
        await broker.close()
        await close(client)
