"""The way of a demo: its servers and contexts start, it does its deeds, and its report is printed."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from treaty.telemetry.logs import configure_logging
from treaty.telemetry.receiver import TraceReceiver
from treaty.telemetry.setup import Telemetry, start_telemetry
from treaty.telemetry.spans import FinishedSpan

from scripts.lib import dev
from scripts.lib.command_line import parser_of
from scripts.lib.demos.clients import Clients
from scripts.lib.demos.place import Place, embedded, processes
from scripts.lib.paths import ROOT
from scripts.lib.processes import DidNotStart
from scripts.lib.virtual_hosts import kept

WIDTH = 80

STUCK_SECONDS = 60.0
"""The demo gives up after this time without any progress."""


class BadInput(Exception):
    """The demo cannot use its input. The message is for the person who gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The running contexts, and the means to work with them. `since` is a position before that of every commit."""

    place: Place
    clients: Clients
    receiver: TraceReceiver
    since: tuple[int, int]

    async def settle(self) -> None:
        """Waits until no work is left. Gives up after STUCK_SECONDS without progress."""
        loop = asyncio.get_running_loop()
        calm, before, moved = 0, -1, loop.time()
        while calm < 3 and loop.time() - moved < STUCK_SECONDS:
            left = sum(backlog.total for backlog in (await self.place.backlogs()).values())
            if left != before:
                before, moved = left, loop.time()
            calm = 0 if left else calm + 1
            await asyncio.sleep(0.1)

    async def trace(self, traceparent: str) -> Sequence[FinishedSpan]:
        """Waits until no span of a trace has arrived for half a second, and returns them all."""
        trace, before = traceparent.split("-")[1], -1
        for _ in range(20):
            now = len(self.receiver.trace(trace))
            if now == before and now:
                break
            before = now
            await asyncio.sleep(0.5)
        return self.receiver.trace(trace)

    async def handled(self) -> bool:
        """Returns whether all subscribers have handled every message of the demo."""
        return (await self.place.audit(self.since)).balanced


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of a demo: whether all totals add up, the figures for machines, and the lines for people."""

    balanced: bool
    figures: Mapping[str, object]
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demo of one domain.

    Attributes:
        stubs: by context, the class of its client.
        settings: the settings of the contexts.
        doing: is shown while `perform` runs.
    """

    domain: str
    stubs: Mapping[str, Any]
    doing: str
    perform: Callable[[Stage], Awaitable[Report]]
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        return ROOT / ".dev" / f"demo-{self.domain}"


def demo_parser(domain: str) -> argparse.ArgumentParser:
    parser = parser_of(f"demo {domain}")
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser


def run(arguments: argparse.Namespace, prepare: Callable[[], Demo]) -> int:
    """Runs a demo, and returns its exit code: 1 if something does not add up, 2 if it cannot run.

    Args:
        prepare: is called before anything starts, and may raise BadInput.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    # Without this handler, SIGTERM would end the demo and leave its processes running.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        report = _run(prepare(), arguments, console)
    except (BadInput, DidNotStart, dev.Failed, dev.Unavailable) as error:
        console.print(f"demo: {error}", highlight=False, markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    for line in report.lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if arguments.json:
        print(json.dumps(report.figures), flush=True)
    return 0 if report.balanced else 1


def _run(demo: Demo, arguments: argparse.Namespace, console: Console) -> Report:
    demo.logs.mkdir(parents=True, exist_ok=True)
    with (demo.logs / "demo.log").open("w") as log:  # not the screen
        configure_logging(level="warning", format="console", stream=log)
        if arguments.embedded:
            return asyncio.run(_perform(demo, dict(os.environ), console, in_memory=True))
        with contextlib.ExitStack() as servers:
            with console.status("starting MongoDB and RabbitMQ"):
                uris = servers.enter_context(dev.borrow())
            own = kept(uris, "demo")  # not those of scripts/up, which may run beside it
            return asyncio.run(_perform(demo, {**os.environ, **own}, console, in_memory=False))


async def _perform(demo: Demo, environ: dict[str, str], console: Console, *, in_memory: bool) -> Report:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(TraceReceiver())
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        telemetry = await _telemetry("client", environ, stack)
        with console.status("starting the services"):
            place = await stack.enter_async_context(_place(demo, environ, in_memory, stack))
        clients = Clients(addresses=place.addresses, stubs=demo.stubs, probe=telemetry.probe)
        stack.push_async_callback(clients.close)
        with console.status(demo.doing):
            stage = Stage(place=place, clients=clients, receiver=receiver, since=await place.now())
            return await demo.perform(stage)


@asynccontextmanager
async def _place(demo: Demo, environ: dict[str, str], in_memory: bool, stack: AsyncExitStack) -> AsyncIterator[Place]:
    if in_memory:
        probes = {name: (await _telemetry(name, environ, stack)).probe for name in demo.stubs}
        async with embedded(probes, demo.settings) as place:
            yield place
    else:
        async with processes(tuple(demo.stubs), {**environ, **demo.settings}, demo.logs) as place:
            yield place


async def _telemetry(name: str, environ: dict[str, str], stack: AsyncExitStack) -> Telemetry:
    """Starts telemetry. A thread closes it, because that waits for the receiver, which runs in our event loop."""
    telemetry = start_telemetry(name, environ)
    stack.push_async_callback(asyncio.to_thread, telemetry.close)
    return telemetry
