"""The databases of a single run, which are dropped at its end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from treaty.mongo.driver import close, connect

_PATIENCE = "socketTimeoutMS=180000"
"""A long timeout: dropping many collections waits for the disk, which takes minutes on a busy machine."""


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
