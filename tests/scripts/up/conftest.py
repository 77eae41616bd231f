"""The servers for `scripts/up`."""

import asyncio
import os
import uuid
from collections.abc import Iterator

import pytest
from treaty.service.contexts import find_contexts

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.virtual_hosts import virtual_host


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """The servers, with databases and a virtual host of their own, and a mark for the processes of this test."""
    run = f"up{uuid.uuid4().hex[:8]}"
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        uri = own["MONGODB_URI"]
        try:
            yield {**os.environ, **own, "MONGODB_URI": uri.replace("/?", f"/{run}?"), "TREATY_UP_RUN": run}
        finally:
            asyncio.run(_drop(uri, [f"{run}_{name.replace('.', '_')}" for name in find_contexts()]))


async def _drop(uri: str, databases: list[str]) -> None:
    async with temporary(uri, databases):
        pass
