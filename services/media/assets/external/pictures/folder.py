"""The folder of a process for the files of its pictures, which goes with it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "treaty-pictures-"
_ours: set[Path] = set()


class Folder:
    """Opens a folder that has the id of this process in its name, and removes those of processes that are gone.

    A process that was killed leaves its folder behind; the next one on the machine removes it.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._own: Path | None = None
        self._count = 0

    def open(self) -> None:
        self._own = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._parent))
        _ours.add(self._own)
        for folder in self._parent.glob(f"{_PREFIX}*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            # In a container, the process before had the same id.
            if folder not in _ours and (pid == str(os.getpid()) or not _runs(pid)):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            _ours.discard(self._own)
            self._own = None

    @contextmanager
    def file(self) -> Iterator[Path]:
        """Yields the path of a new file, which is removed at the end of the block."""
        if self._own is None:
            raise RuntimeError("the folder is not open")
        self._count += 1
        path = self._own / f"{self._count}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _runs(pid: str) -> bool:
    """Returns whether there is a process with this id; a name that has none is left alone."""
    if not pid.isdecimal():
        return True
    with contextlib.suppress(PermissionError):
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True
