"""Starts and ends the servers of one folder, so that nothing is started twice and nothing is left half-started."""

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
    """All servers of this folder, running or not."""
    folder = folder.resolve()
    direct: list[Server] = [MongoDB(folder / "mongodb"), RabbitMQ(folder / "rabbitmq")]
    return [container if (container := Container(server)).chosen else server for server in direct]


def up(folder: Path = FOLDER, *, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Starts what does not run yet and returns MONGODB_URI and AMQP_URL, when all are ready.

    A server that `environ` names already is neither started nor touched.
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
    """Ends one server with kill -9; `restart` or `up` brings it back.

    RabbitMQ 3.10 writes the names of new quorum queues only every 500 ms, and a younger queue comes back empty and
    without a leader (https://github.com/rabbitmq/ra/pull/443). `rabbitmqctl("eval", SYNC_QUEUE_NAMES)` writes them now.
    """
    with _one_at_a_time(folder):
        _named(name, folder).kill()


def status(folder: Path = FOLDER) -> list[Status]:
    return [
        Status(server.name, server.pid(), server.port(), server.running() and server.ready(), server.folder)
        for server in servers(folder)
    ]


def rabbitmqctl(*arguments: str, folder: Path = FOLDER) -> str:
    """What rabbitmqctl of this folder's broker prints, for alarms, closed connections and the like."""
    server = RabbitMQ(folder.resolve() / "rabbitmq")
    container = Container(server)
    return container.execute("rabbitmqctl", *arguments) if container.chosen else server.ctl(*arguments)


def env_file(folder: Path = FOLDER) -> Path:
    """A file for shells to source; what their environment names already wins over it."""
    return folder / "env"


def _named(name: str, folder: Path) -> Server:
    return next(server for server in servers(folder) if server.name == name)


def _bring_up(wanted: list[Server], folder: Path) -> None:
    """Starts all of them before it waits for any; when one fails or the user interrupts, ends what was started."""
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
    undo.callback(server.kill)  # a server that is starting takes long to listen to anything politer
    server.start()
    return server


def _placed(server: Server) -> Server:
    """The server itself where it can run, or else its container."""
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
    """A server that died at once gets one more try: another process may have taken its port in between."""
    if not _became_ready(server):
        server.start()
        if not _became_ready(server):
            raise Failed(f"{server.name} does not start; `scripts/dev logs {server.name}` or {server.folder} say why.")


def _became_ready(server: Server) -> bool:
    if not wait_until(lambda: server.ready() or not server.running(), _START_SECONDS):
        raise Failed(f"{server.name} was not ready after {_START_SECONDS} s; see {server.folder}.")
    return server.running()


def _write_env(folder: Path) -> None:
    running = [server for server in servers(folder) if server.running()]
    lines = [f'export {server.variable}="${{{server.variable}:-{server.uri()}}}"\n' for server in running]
    draft = folder / "env.new"
    draft.write_text("".join(lines))
    draft.replace(env_file(folder))  # at once: a shell that sources it sees all of it or the one before


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
