"""Databases that a run made for itself: they are dropped when it is over."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from treaty.mongo.driver import close, connect

_PATIENCE = "socketTimeoutMS=180000"
"""Dropping many collections waits for the disk, which on a busy machine takes longer than any request may."""


@asynccontextmanager
async def temporary(uri: str, names: Sequence[str]) -> AsyncIterator[None]:
    """Drops the databases after the block."""
    try:
        yield
    finally:
        client = connect(f"{uri}{'&' if '?' in uri else '?'}{_PATIENCE}", "motor")
        try:
            for name in names:
                await client.drop_database(name)
        finally:
            await close(client)
