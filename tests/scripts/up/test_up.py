"""`scripts/up`, as a newcomer runs it: in a checkout of its own, with databases and a virtual host of its own."""

import asyncio
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from treaty.service.contexts import find_contexts

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.virtual_hosts import virtual_host
from tests.checkouts import Checkout, copy_checkout

pytestmark = [pytest.mark.infra, pytest.mark.slow]

STILL = 120.0
"""Seconds without any movement after which waiting is given up."""

CONTEXTS = ("commerce.catalog", "commerce.inventory", "commerce.ordering", "commerce.payments", "commerce.shipping")


@dataclass(slots=True)
class Running:
    """A running `scripts/up`. `said` is all it has printed."""

    checkout: Checkout
    environ: dict[str, str]
    process: asyncio.subprocess.Process
    said: str = ""
    _moved: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while some := await self.process.stdout.read(4096):
            self.said += some.decode()

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits for a condition as long as anything moves: a line is printed, or a process writes to its log."""
        loop, before = asyncio.get_running_loop(), -1
        moved = loop.time()
        while not condition():
            now = len(self.said) + sum(log.stat().st_size for log in self.checkout.root.glob(".dev/up/logs/*"))
            if now != before:
                before, moved = now, loop.time()
            assert loop.time() - moved < STILL, self.said
            assert self.process.returncode is None, self.said
            await asyncio.sleep(0.05)

    async def shell(self, command: str) -> tuple[int | None, str, str]:
        """Runs a command beside it, in a shell of the same checkout."""
        running = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            cwd=self.checkout.root,
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            output, messages = await running.communicate()
        return running.returncode, output.decode(), messages.decode()

    def printed_call(self) -> str:
        """Returns the first command that is printed, with all its lines."""
        found = re.search(r"^  (\./treaty call .*?')$", self.said, re.MULTILINE | re.DOTALL)
        assert found, self.said
        return found[1]


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


@asynccontextmanager
async def up(folder: Path, environ: dict[str, str], *arguments: str) -> AsyncIterator[Running]:
    """Runs it in a copy of the checkout, and kills what a failed test leaves."""
    checkout = copy_checkout(folder)
    paths = os.pathsep.join(str(folder / part) for part in ("", "libs", "libs/contracts"))
    own = {**environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *(str(folder / "scripts/up"), *arguments),
        env=own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Running(checkout, own, process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await listening
        await process.wait()


def left(environ: dict[str, str]) -> list[psutil.Process]:
    """Returns the processes of this test that still run."""
    return [one for one in psutil.process_iter() if _is_ours(one, environ["TREATY_UP_RUN"])]


def _is_ours(one: psutil.Process, run: str) -> bool:
    try:
        return one.status() != psutil.STATUS_ZOMBIE and one.environ().get("TREATY_UP_RUN") == run
    except psutil.Error:
        return False


async def test_the_printed_call_works_its_events_show_a_change_restarts_and_ctrl_c_ends_all(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with up(tmp_path, environ, *CONTEXTS) as running:
        await running.until(lambda: "ready:" in running.said and "change " in running.said)
        assert all(len(line) <= 80 for line in running.said.splitlines()), running.said

        code, output, messages = await running.shell(running.printed_call())
        assert code == 0, messages
        order = re.search(r'"order_id": "([0-9a-f-]+)"', output)
        assert order, output
        await running.until(lambda: re.search(rf"OrderPlaced +{order[1][:8]}", running.said))
        await running.until(lambda: re.search(rf"OrderConfirmed +{order[1][:8]}", running.said))

        trace = re.search(r"^trace +(\w+)$", messages, re.MULTILINE)
        assert trace, messages
        await running.until(lambda: f"cat .dev/up/traces/{trace[1][:8]}\n" in running.said)
        code, tree, _ = await running.shell(f"cat .dev/up/traces/{trace[1][:8]}")
        assert (code, "OrderingService/PlaceOrder" in tree, "process OrderPlaced" in tree) == (0, True, True), tree

        changed = tmp_path / "services/commerce/catalog/publishing.py"
        good = changed.read_text()
        changed.write_text(good + "\nthis is no Python\n")
        await running.until(lambda: "catalog       starts again" in running.said)
        await running.until(lambda: "SyntaxError" in running.said)
        changed.write_text(good)
        await running.until(lambda: "catalog       is ready again" in running.said)
        assert "ordering      starts again" not in running.said

        second = await asyncio.create_subprocess_exec(
            tmp_path / "scripts/up", env=running.environ, stderr=asyncio.subprocess.PIPE
        )
        _, complaint = await second.communicate()
        assert (second.returncode, "runs in this checkout already" in complaint.decode()) == (2, True)

        assert len(left(environ)) > len(CONTEXTS)
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await running.process.wait() == 0
        assert left(environ) == []
        assert not (tmp_path / ".dev/up/env").exists()


async def test_a_context_that_cannot_start_says_why_and_the_others_run(tmp_path: Path, environ: dict[str, str]) -> None:
    async with up(tmp_path, environ, "commerce.catalog", "commerce.inventory") as running:
        broken = tmp_path / "services/commerce/inventory/storage.py"
        await running.until(lambda: "starting 2 contexts" in running.said)
        broken.write_text("this is no Python\n")
        await running.until(lambda: "change " in running.said)
        assert "inventory     has ended with code 1: SyntaxError" in running.said
        assert "ready: 1 context." in running.said
        assert "./treaty call commerce.catalog" in running.said


async def test_an_early_ctrl_c_ends_all(tmp_path: Path, environ: dict[str, str]) -> None:
    async with up(tmp_path, environ) as running:
        await running.until(lambda: len(left(environ)) > 4)
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await running.process.wait() == 0
        assert left(environ) == []


async def test_traffic_shows_events_and_a_name_that_is_none_is_answered(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with up(tmp_path / "wrong", environ, "commerce.nothing") as running:
        assert await running.process.wait() == 2
    assert "there is no domain or context commerce.nothing; there are commerce.catalog" in running.said
    async with up(tmp_path / "right", environ, *CONTEXTS, "--traffic", "--rate", "5", "--mix", "buy=1") as running:
        await running.until(lambda: running.said.count("OrderPlaced") >= 5)
        running.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await running.process.wait()
        assert left(environ) == []
