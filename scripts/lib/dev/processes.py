"""Starts background processes and finds them again by a mark in their environment.

Every process that is started here, and every child of it, has its folder in the environment variable TREATY_SERVER.
This mark replaces stored pids. Therefore no process is forgotten, and no wrong process is found, after:

- a pid that the system has given to another process,
- a reboot,
- a start that was interrupted half-way.

The search for the mark needs Linux's /proc.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "TREATY_SERVER"

# The shell ends at once, and init adopts the server: no process has to wait for it, and Ctrl-C does not reach it.
_DETACH = 'log="$0"; "$@" </dev/null >>"$log" 2>&1 &'


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    name: str


def spawn(command: Sequence[str], *, mark: Path, log: Path, env: Mapping[str, str]) -> None:
    """Starts a process that outlives this one, in the folder `mark`; its environment is `env`, a PATH and a LANG."""
    detached = ["/bin/sh", "-c", _DETACH, str(log), *command]
    subprocess.run(
        detached, env={**surroundings(), MARK: str(mark), **env}, cwd=mark, start_new_session=True, check=True
    )


def surroundings() -> dict[str, str]:
    """Returns the part of our environment that a server receives. It has no settings for another server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


def owned(mark: Path) -> list[Process]:
    """Returns the running processes with this mark."""
    entry = f"{MARK}={mark}".encode()
    return [process for folder in Path("/proc").glob("[0-9]*") if (process := _inspect(folder, entry))]


def _inspect(folder: Path, entry: bytes) -> Process | None:
    with suppress(OSError):  # the process has ended, or belongs to another user
        if entry in (folder / "environ").read_bytes().split(b"\0"):
            return Process(pid=int(folder.name), name=(folder / "comm").read_text().strip())
    return None


def stop(mark: Path, main: str, *, patience: float = 20) -> None:
    """Ends the process called `main` with SIGTERM, and kills the processes that are left then or after `patience` s."""
    polite = named(main, owned(mark))
    send(signal.SIGTERM, polite)
    wait_until(lambda: all(map(_has_ended, polite)), patience)
    kill(mark)


def kill(mark: Path) -> None:
    """Ends every process with this mark at once, and waits until their files and ports are free again."""
    killed: set[Process] = set()
    wait_until(lambda: _kill_more(mark, killed) and all(map(_has_ended, killed)), seconds=10)


def _kill_more(mark: Path, killed: set[Process]) -> bool:
    """Kills the processes with this mark; returns whether there was none."""
    remaining = owned(mark)
    send(signal.SIGKILL, remaining)
    killed.update(remaining)
    return not remaining


def _has_ended(process: Process) -> bool:
    """Returns whether a process has released its files and ports.

    A dying process loses its environment, and with it the mark, before its last thread releases them.
    """
    folder = Path("/proc", str(process.pid))
    try:
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        return state in "ZX" and len(list((folder / "task").iterdir())) == 1
    except OSError:
        return True


def named(name: str, processes: Iterable[Process]) -> list[Process]:
    return [process for process in processes if process.name == name]


def send(number: signal.Signals, processes: Iterable[Process]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until the condition holds; returns False if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def tail(log: Path, *, follow: bool) -> list[str]:
    """Returns the command that prints the last lines of a log file."""
    return ["tail", "-n", "100", *(["-F"] if follow else []), str(log)]
