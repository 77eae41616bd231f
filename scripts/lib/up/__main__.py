"""`scripts/up`: see --help."""

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from treaty.telemetry.logs import configure_logging
from treaty.telemetry.receiver import TraceReceiver, quiet_traces
from treaty.telemetry.tree import lines

from scripts.lib import dev
from scripts.lib.command_line import parser_of
from scripts.lib.grammar import counted
from scripts.lib.paths import ROOT
from scripts.lib.up import ports
from scripts.lib.up.calls import Calls, Refused, with_steady_id
from scripts.lib.up.domains import Domains, NoSuchContext, Unreadable, chosen, context_of
from scripts.lib.up.events import described, tapped
from scripts.lib.up.fleet import Fleet
from scripts.lib.up.screen import WIDTH, Screen, advice
from scripts.lib.up.traffic import Day, NoSuchDeed, Traffic, mixed

FOLDER = ROOT / ".dev" / "up"
_COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
_KEPT_TRACES = 100


class Elsewhere(Exception):
    """It runs in this checkout already."""


def main() -> int:
    arguments = _arguments()
    configure_logging(level="error", format="console")
    try:
        domains = chosen(arguments.names)
        deeds = mixed(domains.deeds(), arguments.mix)
        with _alone(), dev.borrow() as uris:
            asyncio.run(_until_signal(domains, arguments, deeds, {**os.environ, **uris}))
    except (NoSuchContext, NoSuchDeed, Unreadable, Elsewhere, dev.Failed, dev.Unavailable) as error:
        print(f"scripts/up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped")
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of("up")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--traffic", action="store_true")
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--mix", default="")
    parser.add_argument("--bursts", type=int, default=3)
    parser.add_argument("--day", type=float, default=120.0)
    arguments = parser.parse_args()
    if not 0 < arguments.rate <= 1000:
        parser.error("--rate must be a number of deeds a second above 0, at most 1000")
    if not 1 <= arguments.day <= 86_400 or not 0 <= arguments.bursts <= 30:
        parser.error("--day must be from 1 to 86400 seconds, and --bursts from 0 to 30")
    return arguments


@contextmanager
def _alone() -> Iterator[None]:
    """Two at once in one checkout would use the same databases.

    Raises:
        Elsewhere
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Elsewhere("it runs in this checkout already; end it there with Ctrl-C") from None
        try:
            yield
        finally:
            (FOLDER / "env").unlink(missing_ok=True)


async def _until_signal(
    domains: Domains, arguments: argparse.Namespace, deeds: Mapping[str, tuple[int, object]], environ: dict[str, str]
) -> None:
    running = asyncio.create_task(_run(domains, arguments, deeds, environ))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(
    domains: Domains, arguments: argparse.Namespace, deeds: Mapping[str, tuple[int, object]], environ: dict[str, str]
) -> None:
    screen = Screen(domains.contexts)
    async with AsyncExitStack() as stack:
        screen.say("up", f"starting {counted(len(domains.contexts), 'context')}, and the outside systems they call")
        fleet, receiver = await stack.enter_async_context(_started(domains, environ, screen))
        calls = Calls({name: fleet.address(name) for name in fleet.contexts})
        stack.push_async_callback(calls.close)
        await _fill(domains, calls, screen)
        screen.lines(_advice(domains, fleet, calls.addresses, environ))
        await stack.enter_async_context(
            tapped(environ["AMQP_URL"], domains.contexts, lambda headers, body: screen.say(*described(headers, body)))
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(fleet.follow_changes())
            group.create_task(_keep_traces(receiver, screen))
            if arguments.traffic:
                day = Day(rate=arguments.rate, seconds=arguments.day, bursts=arguments.bursts)
                traffic = Traffic(day=day, deeds=deeds, ask=calls.ask, refused=lambda why: screen.say("client", why))
                group.create_task(traffic.run())


@asynccontextmanager
async def _started(
    domains: Domains, environ: Mapping[str, str], screen: Screen
) -> AsyncIterator[tuple[Fleet, TraceReceiver]]:
    """Runs the processes and the receiver of their traces inside the block."""
    logs = FOLDER / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    async with AsyncExitStack() as stack:
        async with ports.nobody_else_starts():
            found = ports.settle(domains.ports, FOLDER / "ports.json")
            receiver = await stack.enter_async_context(TraceReceiver(found["traces"]))
            settings = _settings(domains, found, receiver.endpoint)
            fleet = Fleet(domains=domains, environ={**settings, **environ}, ports=found, logs=logs, say=screen.say)
            await stack.enter_async_context(fleet.running())
        (FOLDER / "env").write_text(f'export TREATY_PEERS="${{TREATY_PEERS:-{settings["TREATY_PEERS"]}}}"\n')
        yield fleet, receiver


def _advice(domains: Domains, fleet: Fleet, addresses: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    systems = {name: fleet.ports[name] for name in domains.systems(fleet.ports)}
    collector = environ.get(_COLLECTOR)
    traces = f"at {collector}" if collector else "When a call has run its course, a line below names a file."
    example = domains.example()
    if example is not None and context_of(example) not in addresses:
        example = None
    return advice(addresses, systems, example, fleet.logs, traces)


def _settings(domains: Domains, found: Mapping[str, int], collector: str) -> dict[str, str]:
    """Returns the settings of all contexts; a variable that is set in the environment takes precedence."""
    return {
        **domains.settings(found),
        "TREATY_PEERS": ",".join(f"{name}=127.0.0.1:{found[name]}" for name in domains.contexts),
        "LOG_FORMAT": "console",
        _COLLECTOR: collector,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",  # a trace is kept where the caller asks for it
    }


async def _fill(domains: Domains, calls: Calls, screen: Screen) -> None:
    """Sends the samples. A refused one is sent again for a while: a context may not have heard of its part yet."""
    left = [with_steady_id(request) for request in domains.opening() if context_of(request) in calls.addresses]
    if left:
        screen.say("up", f"sample data: {counted(len(left), 'request')}")
    for _ in range(50):
        refused = []
        for request in left:
            try:
                await calls.ask(request)
            except Refused as why:
                refused.append((request, str(why)))
        left = [request for request, _ in refused]
        if not left:
            return
        await asyncio.sleep(0.2)
    screen.say("up", f"{len(left)} of the samples are not there: {refused[0][1]}")


async def _keep_traces(receiver: TraceReceiver, screen: Screen) -> None:
    """Writes every trace into a file that is named after the beginning of its id."""
    folder = FOLDER / "traces"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    async for spans in quiet_traces(receiver, 1.0):
        file = folder / spans[0].trace_id[:8]
        file.write_text("\n".join(lines(spans, width=WIDTH)) + "\n")
        screen.say("trace", f"{counted(len(spans), 'span')}: cat {file.relative_to(ROOT)}")
        for old in sorted(folder.iterdir(), key=_age)[:-_KEPT_TRACES]:
            old.unlink()


def _age(file: Path) -> float:
    with contextlib.suppress(OSError):
        return file.stat().st_mtime
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
