"""A running `scripts/up` in a copy of the checkout."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.checkouts import Checkout, copy_checkout

STILL = 120.0
"""Seconds without any movement after which waiting is given up."""


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
