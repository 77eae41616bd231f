"""A store that is frozen for longer than all time limits, and then goes on: so do all contexts, and they still end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from treaty.testing import eventually

from scripts.lib.dev.mongodb import MongoDB
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import end, ready, start

PROCESSES, FROZEN_SECONDS = 3, 26.0


@pytest.fixture
async def mongodb(tmp_path: Path) -> AsyncIterator[MongoDB]:
    """A server of its own: the other tests go on with theirs."""
    server = MongoDB(tmp_path)
    server.prepare()
    await asyncio.to_thread(server.start)
    await eventually(lambda: asyncio.to_thread(server.ready), within=120.0)
    yield server
    os.kill(server.pid() or 0, signal.SIGCONT)
    await asyncio.to_thread(server.stop)


async def test_contexts_go_on_and_can_be_ended_after_the_store_was_frozen(
    mongodb: MongoDB, alone: dict[str, str], tmp_path: Path
) -> None:
    ports = free_ports(3 * PROCESSES)
    async with AsyncExitStack() as stack:
        running = []
        for number in range(PROCESSES):
            grpc_port, http_port, health_port = ports[3 * number : 3 * number + 3]
            own = {
                **os.environ,
                **alone,
                "MONGODB_URI": mongodb.uri().replace("/?", f"/frozen{number}?"),
                "GRPC_PORT": str(grpc_port),
                "GRPC_HOST": "127.0.0.1",
                "HTTP_PORT": str(http_port),
                "HEALTH_PORT": str(health_port),
            }
            command = [sys.executable, "-m", "treaty.cli", "run", "commerce.ordering", "commerce.notifications"]
            process = await start(command, own, tmp_path / f"{number}.log")
            stack.push_async_callback(end, process)
            running.append((process, f"127.0.0.1:{grpc_port}"))
        for _, address in running:
            await ready(address)
        pid = mongodb.pid()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FROZEN_SECONDS)
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(1.0)
        for _, address in running:
            await ready(address)
        for process, _ in running:
            process.terminate()
        async with asyncio.timeout(120):
            assert [await process.wait() for process, _ in running] == [0] * PROCESSES
