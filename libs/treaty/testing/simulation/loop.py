"""An event loop with virtual time and seeded scheduling, whose processes can be killed and stopped from outside.

Time passes only when no callback is ready. The next callback is drawn from the ready ones. A slower network or a busier
machine could cause every order that results.
"""

import asyncio
import contextlib
import gc
import heapq
import itertools
import random
import sys
import warnings
from collections import deque
from collections.abc import Coroutine, Iterator
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

T = TypeVar("T")


class Deadlock(Exception):
    """No callback is ready, and no timer is left."""


@dataclass(eq=False, slots=True)
class Process:
    """A process of the simulation: all tasks and callbacks that are started in its context belong to it.

    A killed process never runs again, not even to clean up, as after kill -9. A stopped process (SIGSTOP) continues
    later, with the timers that expired meanwhile.
    """

    name: str
    alive: bool = True
    stopped: bool = False
    held: list[asyncio.Handle] = field(default_factory=list)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.context = copy_context()
        self.context.run(PROCESS.set, self)


PROCESS: ContextVar[Process | None] = ContextVar("treaty.simulation.process", default=None)


class _Task(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have the same order in every run."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, number: int, loop: Any, context: Context | None) -> None:
        self._hash = number
        super().__init__(coro, loop=loop, context=context)  # type: ignore[call-arg, unused-ignore]

    def __hash__(self) -> int:
        return self._hash


class _Future(asyncio.Future[Any]):
    def __init__(self, *, number: int, loop: Any) -> None:
        self._hash = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks in an order that the seed determines.

    Attributes:
        chance: the only source of randomness in a run.
        steps: the number of callbacks that ran so far.
        errors: the exceptions that no code handled.
    """

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[Any]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.steps = 0
        self._now = 0.0
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[Any]] = []
        self._graveyard: list[asyncio.Handle] = []
        self.set_task_factory(self._make_task)
        self.errors: list[str] = []
        self.set_exception_handler(self._note_error)

    def time(self) -> float:
        return self._now

    def create_future(self) -> "asyncio.Future[Any]":
        return _Future(number=next(self._numbers), loop=self)

    def resume(self, process: Process) -> None:
        """Lets a stopped process continue."""
        process.stopped = False
        held, process.held = process.held, []
        self._ready.extend(held)

    def close(self) -> None:
        """Ends the run. Suspended coroutines are closed here, in order, when they can no longer change anything."""
        self._ready.clear()
        self._scheduled.clear()
        with _silence():
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _drop(task.get_coro())
            self._tasks.clear()
            self._graveyard.clear()
            super().close()
            gc.collect()

    def _make_task(self, loop: Any, coro: Any, context: Context | None = None) -> "asyncio.Task[Any]":
        task = _Task(coro, number=next(self._numbers), loop=self, context=context)
        self._tasks.append(task)
        return task

    def _note_error(self, loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")

    def _run_once(self) -> None:
        if not self._ready:
            self._let_time_pass()
        handle = self._draw()
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if process is not None and not process.alive:
            self._graveyard.append(handle)
        elif process is not None and process.stopped:
            process.held.append(handle)
        else:
            self.steps += 1
            handle._run()

    def _let_time_pass(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        if not self._scheduled:
            raise Deadlock("every task waits, and no callback or timer is left")
        self._now = max(self._now, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now:
            timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            self._ready.append(timer)

    def _draw(self) -> asyncio.Handle:
        if len(self._ready) > 1:
            self._ready.rotate(-self.chance.randrange(min(len(self._ready), 8)))
        return self._ready.popleft()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        raise NotImplementedError("a simulation has no sockets")

    def _write_to_self(self) -> None:
        pass


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hides the errors and warnings of interrupted coroutines, which are expected at the end of a run."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        with structlog.testing.capture_logs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook


def _drop(coro: Any) -> None:
    """Closes a coroutine; repeats this while its clean-up awaits something."""
    for _ in range(20):
        try:
            coro.close()
        except BaseException:  # noqa: S112 - it is asked to end again
            continue
        return


def simulate(seed: int, main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a simulated loop, with the garbage collector off: it would run at random times."""
    loop = SimulatedLoop(seed)
    collecting = gc.isenabled()
    gc.disable()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        loop.close()
        asyncio.set_event_loop(None)
        if collecting:
            gc.enable()
