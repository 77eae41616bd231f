"""The sweep: it removes contents that no asset needs, such as those of uploads whose outcome stayed unknown."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from treaty.contents import Contents, Named

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Sweeps regularly while its block runs. Two processes may sweep at once: removing a content twice changes nothing.

    Attributes:
        every: seconds between two sweeps.
        older_than: longer than an upload can take, from its first piece to its commit.
    """

    contents: Contents
    named: Named
    every: float
    older_than: timedelta

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            while not task.done():  # a driver may take one cancellation for a broken connection
                task.cancel()
                await asyncio.wait([task], timeout=1.0)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            await self.once()

    async def once(self) -> int:
        """Sweeps now; returns the number of contents that were removed. A failure is logged, and tried later."""
        try:
            removed = await self.contents.sweep(self.named, older_than=self.older_than)
        except Exception as error:
            logger.warning("contents cannot be swept now", why=f"{type(error).__name__}: {error}")
            return 0
        if removed:
            logger.info("contents that no asset needs were removed", removed=removed)
        return removed
