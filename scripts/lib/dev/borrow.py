"""Servers for the length of a block. They are started if they do not run, and the last borrower ends them again."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scripts.lib.dev.lifecycle import FOLDER, down, servers, up


@contextmanager
def borrow(folder: Path = FOLDER, *, environ: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """Yields MONGODB_URI and AMQP_URL of running servers. Servers that `scripts/dev up` started stay up afterwards.

    Test runs at the same time share the servers. Every borrower holds a shared lock; at its end it tries to take the
    lock exclusively, and the borrower that succeeds was the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "borrowers").open("a") as borrowers:
        fcntl.flock(borrowers, fcntl.LOCK_SH)
        try:
            _note_borrowed(folder, _stopped(folder, environ))
            yield up(folder, environ=environ)
        finally:
            fcntl.flock(borrowers, fcntl.LOCK_UN)
            if _is_last(borrowers):
                down(folder, only=_borrowed(folder))
                keep(folder)


def keep(folder: Path = FOLDER) -> None:
    """Makes the running servers stay up, including the servers that a borrower started."""
    _note(folder).unlink(missing_ok=True)


def _note_borrowed(folder: Path, names: set[str]) -> None:
    _note(folder).write_text("\n".join(_borrowed(folder) | names))


def _borrowed(folder: Path) -> set[str]:
    return set(_note(folder).read_text().split()) if _note(folder).exists() else set()


def _stopped(folder: Path, environ: Mapping[str, str]) -> set[str]:
    return {server.name for server in servers(folder) if not environ.get(server.variable) and not server.running()}


def _is_last(borrowers: TextIO) -> bool:
    try:
        fcntl.flock(borrowers, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(folder: Path) -> Path:
    return folder / "borrowed"
