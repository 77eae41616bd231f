"""Runs the images, and looks at what somebody who deploys them relies on."""

import asyncio
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psutil
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from treaty.rpc.client import channel

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.image.builder import Builder, Container
from scripts.lib.processes import ready
from scripts.lib.virtual_hosts import virtual_host

CONTEXT = "commerce.catalog"
USER = "10001"
PATIENCE = 120.0
"""Seconds without an answer after which a container is given up."""


class NotAsPromised(Exception):
    """The image does not do what its users rely on."""


async def look(builder: Builder, tell: Callable[[str], None]) -> None:
    """Looks at the images `treaty:production` and `treaty:dev`.

    Raises:
        NotAsPromised
    """
    run = f"image{uuid.uuid4().hex[:8]}"
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        uri = own["MONGODB_URI"]
        environ = {"MONGODB_URI": uri.replace("/?", f"/{run}?"), "AMQP_URL": own["AMQP_URL"], "GRPC_HOST": "127.0.0.1"}
        async with temporary(uri, [f"{run}_{CONTEXT.replace('.', '_')}"]):
            await _look_at_user(builder, tell)
            await _look_at_production(builder, environ, tell)
            await _look_at_dev(builder, environ, tell)


async def _look_at_user(builder: Builder, tell: Callable[[str], None]) -> None:
    container = builder.container("production", {})
    try:
        user = _said(container, "id", "-u")
        if user != USER:
            raise NotAsPromised(f"the image runs as user {user}, not as {USER}")
        if _said(container, "sh", "-c", "touch /app/x 2>/dev/null && echo written || echo refused") != "refused":
            raise NotAsPromised("the user of the image can write into /app")
        tell(f"user {USER}, which cannot change the code")
    finally:
        container.remove()


def _said(container: Container, *arguments: str) -> str:
    command = container.command(arguments, entrypoint=False)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def _look_at_production(builder: Builder, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    async with _running(builder, "production", environ) as (_, address, process):
        await _call(address)
        tell("production: ready, and answers a call")
        _leaf(process).send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), PATIENCE)
        if code != 0:
            raise NotAsPromised(f"on SIGTERM the process ended with {code}")
        tell("production: ends with 0 on SIGTERM")


async def _look_at_dev(builder: Builder, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    async with _running(builder, "dev", environ) as (container, address, process):
        await _call(address)
        before = _leaf(process).pid
        container.change(f"/app/services/{CONTEXT.replace('.', '/')}/api.py", "\n# changed\n")
        await _until(lambda: _has_other_leaf(process, before))
        await _ready(address)
        await _call(address)
        tell("dev: starts again when its code changes, and answers")


@asynccontextmanager
async def _running(
    builder: Builder, target: str, environ: Mapping[str, str]
) -> AsyncIterator[tuple[Container, str, asyncio.subprocess.Process]]:
    """Runs a context in a container until the block ends; the block begins when it is ready."""
    [port] = free_ports(1)
    container = builder.container(target, {**environ, "GRPC_PORT": str(port)})
    log = Path(".dev/image") / f"{target}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *container.command(["run", CONTEXT]), stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL
        )
    try:
        await _ready(f"127.0.0.1:{port}", lambda: _must_run(process, log))
        yield container, f"127.0.0.1:{port}", process
    finally:
        _end(process)
        await process.wait()
        container.remove()


def _must_run(process: asyncio.subprocess.Process, log: Path) -> None:
    if process.returncode is not None:
        raise NotAsPromised(f"the container ended with {process.returncode}:\n{log.read_text()[-2000:]}")


async def _ready(address: str, check: Callable[[], None] = lambda: None) -> None:
    waiting = asyncio.create_task(ready(address, PATIENCE))
    while not waiting.done():
        await asyncio.wait([waiting], timeout=0.5)
        if not waiting.done():
            try:
                check()
            except NotAsPromised:
                waiting.cancel()
                raise
    await waiting


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.1)


async def _call(address: str) -> None:
    opened = channel(address)
    try:
        asking: Awaitable[object] = CatalogServiceStub(opened).SearchProducts(
            catalog.SearchProductsRequest(), timeout=10
        )
        await asking
    except grpc.aio.AioRpcError as error:
        raise NotAsPromised(f"the context answers {error.code().name}: {error.details()}") from None
    finally:
        await opened.close()


def _tree(process: asyncio.subprocess.Process) -> Sequence[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _leaf(process: asyncio.subprocess.Process) -> psutil.Process:
    """Returns the process of the context inside the container."""
    found = [one for one in _tree(process) if "treaty" in _arguments(one) and not one.children()]
    if not found:
        raise NotAsPromised("no process of the context runs in the container")
    return found[-1]


def _arguments(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:3])
    except psutil.Error:
        return ""


def _has_other_leaf(process: asyncio.subprocess.Process, before: int) -> bool:
    try:
        return _leaf(process).pid != before
    except (NotAsPromised, psutil.Error):
        return False


def _end(process: asyncio.subprocess.Process) -> None:
    """Ends what runs inside first, so that the tool outside can clean up after it."""
    for one in reversed(_tree(process)):
        try:
            os.kill(one.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    if process.returncode is None:
        process.terminate()
