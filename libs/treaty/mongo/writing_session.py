"""The session in which one writer makes its transactions. The next writer ends it, with the transaction it left open.

A process that is killed in the middle of a transaction leaves it open, and MongoDB keeps its locks for a minute
(transactionLifetimeLimitSeconds). Everything that writes the same documents would wait so long.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo.errors import PyMongoError


class WritingSession:
    """The sessions of one writer, one after another. The store knows the id of the current one under a name.

    Args:
        known: the collection that keeps the id.
        name: the same for every process that may be this writer, such as view_orders.
    """

    def __init__(self, client: Any, known: Any, name: str) -> None:
        self._client, self._known, self._name = client, known, f"session of {name}"
        self._current: Any = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Any]:
        """Yields the session; after an error or a cancellation the next use begins another one."""
        if self._current is None:
            self._current = await self._begin()
        try:
            yield self._current
        except BaseException:
            last, self._current = self._current, None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    await last.end_session()
            raise

    async def _begin(self) -> Any:
        await self._end_the_last()
        starting = self._client.start_session(causal_consistency=True)
        session = await starting if inspect.isawaitable(starting) else starting
        await self._known.update_one({"_id": self._name}, {"$set": {"session": session.session_id["id"]}}, upsert=True)
        return session

    async def _end_the_last(self) -> None:
        last = await self._known.find_one({"_id": self._name})
        if last is None:
            return
        with contextlib.suppress(PyMongoError):  # without the right to do this, its transaction ends within a minute
            await self._client.admin.command({"killSessions": [{"id": last["session"]}]})
