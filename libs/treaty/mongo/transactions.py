"""Transactions, which a transaction that a killed process left open does not hold up for long.

MongoDB keeps such a transaction open until transactionLifetimeLimitSeconds are over, a minute or more. Until then
nobody else can write the documents that it wrote.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from treaty.chance import backoff
from treaty.mongo.driver import APP_NAME, session

logger = structlog.get_logger()

IDLE_SECONDS = 5.0
"""Seconds without a request after which a transaction counts as left open."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5


async def transact(client: Any, work: Callable[[Any], Awaitable[None]], *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Does the work in a transaction, whose session is its argument; does it again while another one is in its way.

    After some time it ends the transactions of the same user that are idle for so long. A living process whose
    transaction is ended does its work again.
    """
    loop = asyncio.get_running_loop()
    begun, tries = loop.time(), 0

    async def attempt(own: Any) -> None:
        nonlocal tries
        if tries:
            await asyncio.sleep(backoff(tries - 1, _FIRST_PAUSE, _LONGEST_PAUSE))
        tries += 1
        if loop.time() - begun > idle_seconds:
            await _end_idle(client, idle_seconds)
        await work(own)

    async with session(client) as own:
        await own.with_transaction(attempt)


async def _end_idle(client: Any, seconds: float) -> None:
    """Ends the idle transactions of this user. MongoDB allows that without a privilege."""
    idle = {"type": "idleSession", "appName": APP_NAME, "transaction.timeInactiveMicros": {"$gt": int(seconds * 1e6)}}
    pipeline = [{"$currentOp": {"allUsers": False, "idleSessions": True}}, {"$match": idle}]
    try:
        answer = await client.admin.command({"aggregate": 1, "pipeline": pipeline, "cursor": {}})
        found = [{"id": one["lsid"]["id"]} for one in answer["cursor"]["firstBatch"]]
        if found:
            await client.admin.command({"killSessions": found})
            logger.warning("transactions that were left open were ended", count=len(found))
    except PyMongoError as error:
        logger.warning("transactions that were left open cannot be ended", why=str(error))
