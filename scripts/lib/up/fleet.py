"""The processes of `scripts/up`: one for each context and each outside system. A changed context is started again."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles import PythonFilter, awatch

from scripts.lib.paths import ROOT
from scripts.lib.processes import DidNotStart, end, ready, start
from scripts.lib.up.domains import Domains

_PATIENCE = 180.0
"""Seconds until a context must be ready. A process that ends is noticed at once."""

Say = Callable[[str, str], None]
"""(who, text) → one line on the screen."""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The running processes. `contexts` are those that were ready after the start, in order.

    Args:
        environ: the settings of all processes.
        ports: by context, by system and by `<context>_http`.
        logs: the folder of the logs, one for each process.
    """

    domains: Domains
    environ: Mapping[str, str]
    ports: Mapping[str, int]
    logs: Path
    say: Say
    contexts: Sequence[str] = ()
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _watching: set["asyncio.Task[None]"] = field(default_factory=set)

    def address(self, context: str) -> str:
        return f"127.0.0.1:{self.ports[context]}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs everything inside the block, and ends all of it together afterwards."""
        try:
            for name, arguments in self.domains.systems(self.ports).items():
                await self._start(name, arguments)
            names = self.domains.contexts
            came_up = await asyncio.gather(*(self._bring_up(name) for name in names))
            self.contexts = [name for name, up in zip(names, came_up, strict=True) if up]
            yield
        finally:
            for task in self._watching:
                task.cancel()
            await asyncio.gather(*map(end, self._running.values()))

    async def follow_changes(self) -> None:
        """Starts contexts again when their files change, until it is cancelled."""
        async for changes in awatch(ROOT / "services", ROOT / "libs", watch_filter=PythonFilter()):
            paths = sorted({Path(path).relative_to(ROOT) for _, path in changes})
            touched = [name for name in self.domains.contexts if any(concerns(path, name) for path in paths)]
            for name in touched:
                why = next(path for path in paths if concerns(path, name))
                self.say(name, f"starts again: {why} changed")
            await asyncio.gather(*(self._restart(name) for name in touched))

    async def _restart(self, name: str) -> None:
        running = self._running.pop(name)
        await end(running)
        if await self._bring_up(name):
            self.say(name, "is ready again")

    async def _bring_up(self, name: str) -> bool:
        """Starts a context; returns whether it became ready."""
        running = await self._start(name, ["-m", "treaty.cli", "run", name])
        waiting = asyncio.create_task(ready(self.address(name), _PATIENCE))
        ended = asyncio.create_task(running.wait())
        await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, ended):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, DidNotStart):
            await waiting
            return True
        if running.returncode is None:
            self.say(name, f"is not ready after {_PATIENCE:.0f} s; its log is {self._log(name)}")
        return False

    async def _start(self, name: str, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        log = self.logs / f"{name}.log"
        running = await start([sys.executable, *arguments], {**self.environ, **self._own(name)}, log)
        self._running[name] = running
        task = asyncio.create_task(self._notice_end(name, running))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return running

    def _own(self, name: str) -> Mapping[str, str]:
        """Returns the settings that only this process has."""
        if name not in self.domains.contexts:
            return {}
        own = {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": str(self.ports[name])}
        if name in self.domains.webhooks:
            own |= {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(self.ports[f"{name}_http"])}
        return own

    async def _notice_end(self, name: str, running: asyncio.subprocess.Process) -> None:
        """Prints a line when a process ends that nobody ended; a context starts again when a file of it changes."""
        code = await running.wait()
        if self._running.get(name) is not running:
            return
        lines = (self.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
        self.say(name, f"has ended with code {code}: {lines[-1] if lines else 'it said nothing'}")
        again = "it starts again when its files change; " if name in self.domains.contexts else ""
        self.say(name, f"{again}its log is {self._log(name)}")

    def _log(self, name: str) -> Path:
        return (self.logs / f"{name}.log").relative_to(ROOT)


def concerns(path: Path, context: str) -> bool:
    """Returns whether a context must start again when a file changes.

    A file of the toolkit concerns all contexts, a file of a context this one, a module of a domain its contexts.
    """
    parts = path.parts
    domain, _, name = context.partition(".")
    if parts[0] != "services" or len(parts) < 3:
        return True
    if parts[1] != domain or path.name == "samples.py":
        return False
    return len(parts) == 3 or parts[2] == name
