"""Calls: commands that follow from a commit, made until they are answered; timers are calls with a time.

The id of a call is its commit and its index: that is the cause under which its handler commits, so a call that is made
twice takes effect once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from treaty.causes import Cause, acting
from treaty.commits.codec import Names
from treaty.commits.commit import CauseEntry, Commit, PendingCall
from treaty.concurrency.guarded import HANDLER_SECONDS, guarded, guarded_for
from treaty.concurrency.lanes import Lanes
from treaty.domain import DomainError
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.probes import Probe

logger = structlog.get_logger()

_FIRST_ATTEMPTS = 256
"""How many first attempts at calls of one type are under way, parked meanwhile or not. Only an attempt shows which
dependency a call needs, so there are more than the pending work makes of one group."""

_LONGEST = 20.0
"""Seconds after which calls that are neither made nor parked are given up; they are read again from the last place."""

Handler = Callable[[Any], Awaitable[Any]]
"""Carries out one command. A recorded refusal counts as done; any other exception means "try again later"."""


class Caller:
    """A follower that makes the calls of every commit, in order for each stream.

    Args:
        handlers: by the type of the command.
        patience: seconds after which a call that still runs is kept as pending, so that the log can move on. A call
            that waits so long for its first attempt is kept without one.
        seconds: how long one attempt may take.
    """

    name = "calls"

    def __init__(
        self,
        commands: Names,
        handlers: Mapping[type, Handler],
        pending: PendingWork,
        *,
        probe: Probe,
        patience: float = 0.5,
        seconds: float = HANDLER_SECONDS,
    ) -> None:
        self._commands, self._handlers, self._pending = commands, handlers, pending
        self._probe = probe
        self._lanes = Lanes()
        self._patience, self._seconds = patience, seconds
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, _FIRST_ATTEMPTS))
        self._failure: Exception | None = None

    def begin(self) -> None:
        self._failure = None

    def take(self, commits: Sequence[Commit], epoch: int) -> Awaitable[None] | None:
        items = [_item(commit, index) for commit in commits for index in range(len(commit.calls))]
        return self._start(items) if items else None

    async def _start(self, items: Sequence[Item]) -> None:
        safe = []
        for item in items:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            safe.append(future)
            self._lanes.submit(item.lane, partial(self._run_or_park, item, future))
        try:
            async with asyncio.timeout(_LONGEST):
                await asyncio.gather(*safe)
        except (asyncio.CancelledError, TimeoutError):
            await self._lanes.drop()
            raise

    async def _run_or_park(self, item: Item, safe: "asyncio.Future[None]") -> None:
        """Makes `safe` true when the call is done, or parked. After a failure no other is made: it would overtake."""
        try:
            if self._failure is not None:
                raise self._failure
            waits = item.due is not None or self._pending.parked(item.lane)
            await guarded(self._pending.park(item) if waits else self._run_with_patience(item))
        except Exception as error:
            self._failure = error
            if not safe.done():
                safe.set_exception(error)
        else:
            if not safe.done():
                safe.set_result(None)

    async def _run_with_patience(self, item: Item) -> None:
        """Makes a call, or parks it if that takes long. Its place is taken until the attempt ends, parked or not."""
        places = self._places[item.group]
        try:
            async with asyncio.timeout(self._patience):
                await places.acquire()
        except TimeoutError:
            await self._pending.park(item)
            return
        attempt = asyncio.create_task(guarded_for(self._seconds, self.run_item(item)))
        attempt.add_done_callback(lambda _: places.release())
        try:
            await asyncio.wait([attempt], timeout=self._patience)
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        if not attempt.done() or attempt.exception() is not None:
            await self._pending.park(item, started=attempt)

    async def run_item(self, item: Item) -> None:
        """Makes one call under its own cause. Cancelling it is harmless: it is made again, and takes effect once."""
        command = self._commands.decode(item.body["command"])
        with self._probe.span(f"call {item.body['type']}", parent=item.body["trace"]) as span:
            cause = Cause(
                id=item.id,
                actor=item.body["actor"],
                tenant=item.body["tenant"],
                trace=span.trace or item.body["trace"],
                correlation=item.body["correlation"],
                durable=True,
                tracestate=item.body.get("tracestate", ""),
                baggage=item.body.get("baggage", ""),
            )
            with acting(cause):
                try:
                    self._probe.reach("call.making")
                    await self._handlers[type(command)](command)
                except DomainError as refusal:
                    if not refusal.recorded:
                        raise
                    logger.info("a call was refused", call=item.id, type=item.body["type"], reason=refusal.message)
        self._probe.reach("call.made")
        self._probe.count("treaty.calls", type=item.body["type"])


def _item(commit: Commit, index: int) -> Item:
    call: PendingCall = commit.calls[index]
    cause: CauseEntry = commit.causes[call.cause]
    id = f"{commit.id}!{index:04d}"
    due = call.due_after(commit.stored_at)
    return Item(
        id=id,
        lane=f"calls of {commit.stream}" if due is None else id,
        kind="call",
        due=due,
        since=commit.stored_at,
        body={
            "type": call.type,
            "command": call.body,
            "actor": cause.actor,
            "tenant": cause.tenant,
            "trace": cause.trace,
            "correlation": cause.correlation or cause.id,
            "tracestate": cause.tracestate,
            "baggage": cause.baggage,
        },
    )
