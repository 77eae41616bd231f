"""All contexts behind one socket, with memory adapters, and an ear for what nobody else hears."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from treaty.service.contexts import find_contexts
from treaty.testing.world import World, embedded


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unheard() -> list[dict[str, Any]]:
    """Exceptions of tasks that nobody waited for."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(unheard: list[dict[str, Any]]) -> AsyncIterator[World]:
    async with embedded(*find_contexts(), environ={"GRPC_MAX_STREAMS": "20"}) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of bad messages would fill the log."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.configure(**before)
