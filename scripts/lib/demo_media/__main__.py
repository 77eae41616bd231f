"""`scripts/demo media`: see --help."""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from rich.console import Console
from treaty.telemetry.logs import configure_logging
from treaty.telemetry.receiver import TraceReceiver
from treaty.telemetry.setup import Telemetry, start_telemetry

from scripts.lib import dev
from scripts.lib.command_line import parser_of
from scripts.lib.demo_media.agency import Agency, Clients
from scripts.lib.demo_media.place import CONTEXTS, Place, embedded, processes
from scripts.lib.demo_media.report import WIDTH, Results, show, show_json
from scripts.lib.paths import ROOT
from scripts.lib.processes import DidNotStart
from scripts.lib.virtual_hosts import kept

LOGS = ROOT / ".dev" / "demo-media"

STUCK_SECONDS = 60.0
"""The demo gives up after this time without any progress."""


def main() -> int:
    parser = parser_of("demo media")
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    # Without this handler, SIGTERM would end the demo and leave its processes running.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        results = _run(arguments, console)
    except (DidNotStart, dev.Failed, dev.Unavailable) as error:
        console.print(f"demo: {error}", highlight=False, markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    show(results, console)
    if arguments.json:
        show_json(results)
    return 0 if results.balanced else 1


def _run(arguments: argparse.Namespace, console: Console) -> Results:
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "demo.log").open("w") as log:  # not the screen
        configure_logging(level="warning", format="console", stream=log)
        if arguments.embedded:
            return asyncio.run(_demonstrate(dict(os.environ), console, in_memory=True))
        with contextlib.ExitStack() as servers:
            with console.status("starting MongoDB and RabbitMQ"):
                uris = servers.enter_context(dev.borrow())
            own = kept(uris, "demo")  # not those of scripts/up, which may run beside it
            return asyncio.run(_demonstrate({**os.environ, **own}, console, in_memory=False))


async def _demonstrate(environ: dict[str, str], console: Console, *, in_memory: bool) -> Results:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(TraceReceiver())
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        telemetry = await _telemetry("client", environ, stack)
        with console.status("starting the services"):
            place = await stack.enter_async_context(_place(environ, in_memory, stack))
        clients = Clients(addresses=place.addresses, probe=telemetry.probe)
        stack.push_async_callback(clients.close)
        since = await place.now()
        dice = random.Random(7)
        agency = Agency(clients=clients, run=f"{random.randrange(16**8):08x}", dice=dice)
        with console.status("pictures are licensed, used, and used without a right"):
            await _live(agency, place)
        trace = agency.trace.split("-")[1]
        await _until_quiet(receiver, trace)
        return Results(
            agency=agency,
            licenses=await agency.licenses(),
            days=await agency.usage_days(),
            alerts=await agency.alerts(),
            backlogs=await place.backlogs(),
            handled=(await place.audit(since)).balanced,
            trace=receiver.trace(trace),
        )


async def _live(agency: Agency, place: Place) -> None:
    await agency.open()
    await agency.sell()
    await _settle(place)
    await agency.use()
    await agency.look()
    await _settle(place)
    await agency.decide(await agency.alerts())
    await _settle(place)


@asynccontextmanager
async def _place(environ: dict[str, str], in_memory: bool, stack: AsyncExitStack) -> AsyncIterator[Place]:
    if in_memory:
        probes = {name: (await _telemetry(name, environ, stack)).probe for name in CONTEXTS}
        async with embedded(probes) as place:
            yield place
    else:
        async with processes(environ, LOGS) as place:
            yield place


async def _telemetry(name: str, environ: dict[str, str], stack: AsyncExitStack) -> Telemetry:
    """Starts telemetry. A thread closes it, because that waits for the receiver, which runs in our event loop."""
    telemetry = start_telemetry(name, environ)
    stack.push_async_callback(asyncio.to_thread, telemetry.close)
    return telemetry


async def _settle(place: Place) -> None:
    """Waits until no work is left. Gives up after STUCK_SECONDS without progress."""
    loop = asyncio.get_running_loop()
    calm, before, moved = 0, -1, loop.time()
    while calm < 3 and loop.time() - moved < STUCK_SECONDS:
        left = sum(backlog.total for backlog in (await place.backlogs()).values())
        if left != before:
            before, moved = left, loop.time()
        calm = 0 if left else calm + 1
        await asyncio.sleep(0.1)


async def _until_quiet(receiver: TraceReceiver, trace: str) -> None:
    """Waits until no span of a trace has arrived for half a second."""
    before = -1
    for _ in range(20):
        now = len(receiver.trace(trace))
        if now == before and now:
            return
        before = now
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
