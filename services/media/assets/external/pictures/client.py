"""Inspects pictures in worker processes that a picture can kill without harm to the service or to other pictures."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from services.media.assets.external.pictures.folder import Folder
from services.media.assets.external.pictures.messages import (
    LENGTH,
    MAX_BYTES,
    READY,
    Answer,
    Failure,
    Inspected,
    Limits,
    Reason,
    Unreadable,
    framed,
    load,
)

WORKER = (sys.executable, "-P", "-m", "services.media.assets.external.pictures.worker")
_TO_START = 60.0
"""The seconds within which a process has to start; more than enough for a machine that is busy."""
_GRACE = 5.0
"""The seconds after its limit for a process to end by itself, before it is killed."""


class WorkersFailed(Exception):
    """Pictures cannot be inspected now: the workers do not start, or are closed. No picture is to blame."""


class PictureWorkers:
    """A resource of the service: `workers` processes, each with one picture at a time; more pictures wait in order.

    A process starts with the first picture that needs it. A picture that kills its process is tried again in another
    one, `tries` times in all. Leaving the context ends all processes.

    Args:
        command: the worker program and its arguments; the limits are added.
    """

    def __init__(
        self, *, workers: int = 2, tries: int = 3, limits: Limits | None = None, command: Sequence[str] = WORKER
    ) -> None:
        if workers < 1 or tries < 1:
            raise ValueError("there must be a worker and a try, at least")
        self._tries, self._limits = tries, limits or Limits()
        self._slots = [_Slot([*command, self._limits.dump()], self._limits.seconds) for _ in range(workers)]
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        for slot in self._slots:
            self._free.put_nowait(slot)
        self._closed = False
        self._turns = asyncio.Semaphore(workers)
        self._folder = Folder()

    async def __aenter__(self) -> Self:
        self._folder.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
        self._folder.close()

    async def close(self) -> None:
        """Ends all processes. Inspections that run or wait fail with WorkersFailed."""
        self._closed = True
        await asyncio.gather(*(slot.end() for slot in self._slots))
        free = [await self._free.get() for _ in self._slots]
        for slot in free:
            self._free.put_nowait(slot)

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes that run now."""
        return tuple(slot.pid for slot in self._slots if slot.pid is not None)

    async def inspect_content(self, pieces: AsyncIterator[bytes]) -> Inspected:
        """Inspects a content, which is read and written into a file when there is a worker for it.

        Raises:
            Unreadable, WorkersFailed: as for a file.
        """
        async with self._turns:
            with self._folder.file() as path:
                with path.open("wb") as file:
                    async for piece in pieces:
                        file.write(piece)
                return await self.inspect(path)

    async def inspect(self, path: Path) -> Inspected:
        """Inspects the picture in a file.

        Raises:
            OSError: there is no such file.
            Unreadable: the file is refused, or it killed its worker each time.
            WorkersFailed: the fault is of this machine, or the workers are closed. The same file may succeed later.
        """
        await asyncio.to_thread(path.stat)
        for _ in range(self._tries):
            answer = await self._ask_one(path)
            if answer is None:
                continue
            if isinstance(answer.result, Failure):
                raise WorkersFailed(answer.result.sentence)
            if isinstance(answer.result, Unreadable):
                raise answer.result
            return answer.result
        raise Unreadable(
            Reason.KILLED_ITS_WORKER,
            f"The picture was tried {self._tries} times, and each time the process that decoded it came to an end.",
        )

    async def _ask_one(self, path: Path) -> Answer | None:
        slot = await self._free.get()
        try:
            if self._closed:
                raise WorkersFailed("the picture workers are closed")
            answer = await slot.ask(path)
            if answer is None and self._closed:
                raise WorkersFailed("the picture workers are closed")
            return answer
        finally:
            self._free.put_nowait(slot)


class _Slot:
    """The place of one process, which runs or does not."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = command, seconds
        self._process: Process | None = None
        self._ended = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def ask(self, path: Path) -> Answer | None:
        """Returns the answer for a file, or None if the process came to an end, which ends the process for certain."""
        answer = None
        try:
            process = await self._started()
            answer = await self._answer(process, path)
        finally:
            if answer is None or answer.last:
                await asyncio.shield(self._kill())
        return answer

    async def end(self) -> None:
        self._ended = True
        await self._kill()

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None and not _at_end(self._process):
            return self._process
        await self._kill()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
            )
        except OSError as error:
            raise WorkersFailed(f"a picture worker could not be started: {error}") from error
        self._process = process
        if self._ended:
            raise WorkersFailed("the picture workers are closed")
        if await self._received(process, _TO_START) != READY:
            raise WorkersFailed("a picture worker came to an end before its first picture; its messages are on stderr")
        return process

    async def _answer(self, process: Process, path: Path) -> Answer | None:
        assert process.stdin
        try:
            process.stdin.write(framed(str(path).encode("utf-8", "surrogateescape")))
            await process.stdin.drain()
            message = await self._received(process, self._seconds + _GRACE)
            return None if message is None else load(message)
        except (OSError, ValueError):
            return None

    async def _received(self, process: Process, seconds: float) -> bytes | None:
        """Returns a message, or None if the process ends, is late, or sends something else."""
        assert process.stdout
        try:
            async with asyncio.timeout(seconds):
                length = int.from_bytes(await process.stdout.readexactly(LENGTH))
                return await process.stdout.readexactly(length) if length <= MAX_BYTES else None
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            return None

    def _kill(self) -> asyncio.Future[object]:
        """Kills the process, if there is one. Returns its end."""
        process, self._process = self._process, None
        if process is None:
            return asyncio.ensure_future(asyncio.sleep(0))
        if process.returncode is None:
            process.kill()
        if process.stdin:
            process.stdin.close()
        return asyncio.ensure_future(process.wait())


def _at_end(process: Process) -> bool:
    return process.stdout is None or process.stdout.at_eof()


def _environment() -> dict[str, str]:
    """The worker sees where the modules are, and nothing else: the environment of a service has secrets."""
    places = [place or os.getcwd() for place in sys.path]  # noqa: PTH109
    return {"PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "1"}
