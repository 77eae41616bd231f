"""Starts and ends the servers of one folder, so that no server is started twice and none is left half-started."""

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.dev.containers import Container
from scripts.lib.dev.mongodb import MongoDB
from scripts.lib.dev.processes import wait_until
from scripts.lib.dev.rabbitmq import RabbitMQ
from scripts.lib.dev.server import Failed, Server, Unavailable
from scripts.lib.paths import ROOT

FOLDER = ROOT / ".dev"

SYNC_QUEUE_NAMES = "[dets:sync(Table) || Table <- dets:all()]."

_START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Status:
    server: str
    pid: int | None
    port: int | None
    ready: bool
    folder: Path


def servers(folder: Path = FOLDER) -> list[Server]:
    """Returns all servers of this folder, also those that do not run."""
    folder = folder.resolve()
    direct: list[Server] = [MongoDB(folder / "mongodb"), RabbitMQ(folder / "rabbitmq")]
    return [container if (container := Container(server)).chosen else server for server in direct]


def up(folder: Path = FOLDER, *, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Starts the servers that do not run yet, waits until all are ready, and returns MONGODB_URI and AMQP_URL.

    If `environ` has the variable of a server already, that server is neither started nor changed.
    """
    with _one_at_a_time(folder):
        _bring_up([server for server in servers(folder) if not environ.get(server.variable)], folder)
    return {server.variable: environ.get(server.variable) or server.uri() for server in servers(folder)}


def down(folder: Path = FOLDER, *, only: Collection[str] | None = None, wipe: bool = False) -> None:
    """Ends the servers, or those named in `only`, and waits until they are gone; `wipe` removes their data too."""
    if not folder.exists():
        return
    with _one_at_a_time(folder), ThreadPoolExecutor() as together:
        leaving = [server for server in servers(folder) if only is None or server.name in only]
        list(together.map(lambda server: server.stop(), leaving))
        for server in leaving if wipe else []:
            server.wipe()
        _write_env(folder)


def restart(name: str, folder: Path = FOLDER) -> None:
    """Ends one server, if it still runs, and starts it again at the same address with the same data."""
    server = _named(name, folder)
    with _one_at_a_time(folder):
        server.stop()
        _bring_up([server], folder)


def kill(name: str, folder: Path = FOLDER) -> None:
    """Ends one server with kill -9; `restart` or `up` starts it again.

    RabbitMQ 3.10 writes the names of new quorum queues only every 500 ms. A queue that is newer than the last write
    comes back empty and without a leader (https://github.com/rabbitmq/ra/pull/443).
    `rabbitmqctl("eval", SYNC_QUEUE_NAMES)` writes the names at once.
    """
    with _one_at_a_time(folder):
        _named(name, folder).kill()


def status(folder: Path = FOLDER) -> list[Status]:
    return [
        Status(server.name, server.pid(), server.port(), server.running() and server.ready(), server.folder)
        for server in servers(folder)
    ]


def rabbitmqctl(*arguments: str, folder: Path = FOLDER) -> str:
    """Runs rabbitmqctl against this folder's broker, and returns its output."""
    server = RabbitMQ(folder.resolve() / "rabbitmq")
    container = Container(server)
    return container.execute("rabbitmqctl", *arguments) if container.chosen else server.ctl(*arguments)


def env_file(folder: Path = FOLDER) -> Path:
    """Returns the path of a file for shells to source. It keeps the variables that the shell has set already."""
    return folder / "env"


def _named(name: str, folder: Path) -> Server:
    return next(server for server in servers(folder) if server.name == name)


def _bring_up(wanted: list[Server], folder: Path) -> None:
    """Starts all servers, then waits for each. If one fails or the user interrupts, ends the servers it started."""
    with ExitStack() as undo:
        for server in [_started(server, undo) for server in wanted]:
            _await_ready(server)
        undo.pop_all()
    _write_env(folder)


def _started(server: Server, undo: ExitStack) -> Server:
    if server.running():
        return server
    server.folder.mkdir(parents=True, exist_ok=True)
    server = _placed(server)
    undo.callback(server.kill)  # SIGKILL: a server that is starting reacts late to a gentler signal
    server.start()
    return server


def _placed(server: Server) -> Server:
    """Returns the server itself if it can run on this machine, otherwise its container."""
    try:
        server.prepare()
        return server
    except Unavailable as directly:
        return _contained(server, directly)


def _contained(server: Server, reason: Unavailable) -> Server:
    container = Container(server)
    try:
        container.prepare()
        return container
    except Unavailable as contained:
        remedy = f"Provide one of the two, or set {server.variable} to a server of your own."
        raise Failed(f"{server.name} cannot be started here: {reason}, and {contained}. {remedy}") from None


def _await_ready(server: Server) -> None:
    """Waits until a server is ready. Starts it a second time if it ended: another process may have taken its port."""
    if not _became_ready(server):
        server.start()
        if not _became_ready(server):
            raise Failed(f"{server.name} does not start; see `scripts/dev logs {server.name}` or {server.folder}.")


def _became_ready(server: Server) -> bool:
    if not wait_until(lambda: server.ready() or not server.running(), _START_SECONDS):
        raise Failed(f"{server.name} was not ready after {_START_SECONDS} s; see {server.folder}.")
    return server.running()


def _write_env(folder: Path) -> None:
    running = [server for server in servers(folder) if server.running()]
    lines = [f'export {server.variable}="${{{server.variable}:-{server.uri()}}}"\n' for server in running]
    draft = folder / "env.new"
    draft.write_text("".join(lines))
    draft.replace(env_file(folder))  # atomic: a shell reads the old file or the whole new one


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
