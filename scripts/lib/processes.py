"""Processes for the demo, the benchmarks and the tests. They end when the process that started them ends."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from treaty.rpc.client import channel
from treaty.rpc.health import READINESS

PATIENCE = 90.0
"""Seconds in which a service is ready, on a machine that is busy with other things."""

TIED = Path(__file__).with_name("tied.py")
"""A program that runs another one, which ends when the process that started it ends."""

_LINES = 20


class DidNotStart(Exception):
    """A service was not ready in time."""


@asynccontextmanager
async def service(
    name: str, arguments: Sequence[str], environ: Mapping[str, str], logs: Path, address: str
) -> AsyncIterator[int]:
    """Runs a service as `process` does; the block begins when the service is ready at its address.

    Raises:
        DidNotStart: if it ended, or was not ready in time. The message has the end of its output.
    """
    log = logs / f"{name}.log"
    running = await start([sys.executable, *arguments], environ, log)
    try:
        await _ready_or_ended(running, address, log)
        yield running.pid
    finally:
        await end(running)


async def _ready_or_ended(running: asyncio.subprocess.Process, address: str, log: Path) -> None:
    waiting, ended = asyncio.create_task(ready(address)), asyncio.create_task(running.wait())
    await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    try:
        if not waiting.done():
            raise DidNotStart(f"it ended with {running.returncode}")
        await waiting
    except DidNotStart as fault:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_LINES:])
        raise DidNotStart(f"{fault}; its output ends in:\n{last}") from None
    finally:
        waiting.cancel()
        ended.cancel()


@asynccontextmanager
async def process(name: str, arguments: Sequence[str], environ: Mapping[str, str], logs: Path) -> AsyncIterator[int]:
    """Runs a Python process inside the block, and ends it with SIGTERM; yields its id."""
    running = await start([sys.executable, *arguments], environ, logs / f"{name}.log")
    try:
        yield running.pid
    finally:
        await end(running)


async def start(command: Sequence[str], environ: Mapping[str, str], log: Path) -> asyncio.subprocess.Process:
    """Starts a process whose output is appended to a file. It ends when this process ends, in any way."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-S", str(TIED), str(os.getpid())),
            *command,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def end(running: asyncio.subprocess.Process) -> None:
    """Ends a process with SIGTERM, and with SIGKILL if that takes too long."""
    if running.returncode is None:
        running.terminate()
        try:
            async with asyncio.timeout(15):
                await running.wait()
        except TimeoutError:
            running.kill()
            await running.wait()


async def ready(address: str, seconds: float = PATIENCE) -> None:
    """Waits until the service at an address reports that it is ready.

    Raises:
        DidNotStart: if it is not ready in time.
    """
    asking = channel(address)
    try:
        async with asyncio.timeout(seconds):
            while not await _is_ready(health_pb2_grpc.HealthStub(asking)):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DidNotStart(f"the service at {address} is not ready after {seconds:.0f} s") from None
    finally:
        await asking.close()


async def _is_ready(health: health_pb2_grpc.HealthStub) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=READINESS), timeout=2.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
