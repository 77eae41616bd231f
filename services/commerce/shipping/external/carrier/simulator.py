"""A simulated carrier: it books, reports, and fails according to rules. It can run as a separate process."""

import argparse
import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web
from treaty.clock import Clock, SystemClock
from treaty.settings import DEVELOPMENT_SECRET
from treaty.web import sign

from services.commerce.shipping.external.carrier.messages import (
    CANCELLED,
    COLLECTED,
    CONSIGNMENTS,
    DELIVERED,
    EXCEPTION,
    IN_TRANSIT,
    OUT_FOR_DELIVERY,
    RETURNED_TO_SENDER,
    report_of,
)

BOOKED = "BOOKED"

NORMAL = (COLLECTED, IN_TRANSIT, OUT_FOR_DELIVERY, DELIVERED)
WAYS: Mapping[str, Sequence[str]] = {
    "EXC": (COLLECTED, IN_TRANSIT, EXCEPTION, OUT_FOR_DELIVERY, DELIVERED),
    "RTS": (COLLECTED, IN_TRANSIT, EXCEPTION, RETURNED_TO_SENDER),
    "ODD": (COLLECTED, IN_TRANSIT, "HELD_BY_CUSTOMS", OUT_FOR_DELIVERY, DELIVERED),
}
"""The reports of a parcel, by the last three characters of its postal code, like the test cards of payment gateways.

These other endings have a meaning too:

- TWC: every report is sent twice.
- BAD: the parcel can never be delivered.
- BSY: the carrier is too busy for the first two attempts to book.
- SLO: the first answer is slow.
- HLD: the parcel is not collected until `POST /release` is received.
"""

PLACES = {COLLECTED: "warehouse", IN_TRANSIT: "central depot", OUT_FOR_DELIVERY: "local depot", DELIVERED: "door"}

Answer = tuple[int, Any]
Tell = Callable[[str, bytes, str], Awaitable[bool]]
"""(id of the message, its body, the trace it belongs to) → whether it was accepted."""


@dataclass(slots=True)
class Consignment:
    """The carrier's booking for one reference."""

    reference: str
    tracking_number: str
    rule: str
    trace: str
    status: str = BOOKED
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Simulator:
    """The behaviour of the carrier, without a connection.

    Args:
        clock: the clock for the times of the reports.
        pace: seconds between two reports of a parcel.
        slow: seconds that a slow answer takes.
        again: seconds between two attempts to send a report.
        tries: the largest number of attempts to send a report.
    """

    clock: Clock = field(default_factory=SystemClock)
    pace: float = 0.05
    slow: float = 3.0
    again: float = 0.5
    tries: int = 60
    books: dict[str, Consignment] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    tell: Tell | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def answer(self, method: str, path: str, body: bytes = b"", trace: str = "") -> Answer:
        """Returns the status and the JSON value that answer one HTTP request."""
        match method, path:
            case "POST", "/consignments":
                return await self._book(body, trace)
            case "GET", "/consignments":
                return 200, [self._entry(consignment) for consignment in self.books.values()]
            case "POST", "/release":
                return 200, self._release()
            case "GET", "/health":
                return 200, {"status": "ok"}
            case "DELETE", _ if path.startswith(f"{CONSIGNMENTS}/"):
                return self._cancel(path.rpartition("/")[2])
            case _:
                return 404, {"error": "there is no such path"}

    async def close(self) -> None:
        """Stops all parcels: no more reports are sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _book(self, body: bytes, trace: str) -> Answer:
        try:
            asked = json.loads(body)
            reference, rule = str(asked["reference"]), str(asked["to"]["postal_code"]).strip().upper()[-3:]
        except (ValueError, KeyError, TypeError):
            return 400, {"error": "the body is not a consignment"}
        attempt = self.attempts[reference] = self.attempts.get(reference, 0) + 1
        if rule == "BAD":
            return 422, {"error": "nobody delivers to this postal code"}
        if rule == "BSY" and attempt <= 2:
            return 503, {"error": "too busy"}
        consignment = self.books.get(reference) or self._accept(reference, rule, trace)
        if rule == "SLO" and attempt == 1:
            await asyncio.sleep(self.slow)
        return 201, {"tracking_number": consignment.tracking_number}

    def _accept(self, reference: str, rule: str, trace: str) -> Consignment:
        """Books a parcel. Its tracking number is derived from the reference, so it is the same after a restart."""
        number = "PN" + hashlib.blake2s(reference.encode(), digest_size=6).hexdigest().upper()
        consignment = self.books[reference] = Consignment(reference, number, rule, trace)
        if rule != "HLD":
            consignment.released.set()
        task = asyncio.create_task(self._carry(consignment))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return consignment

    def _cancel(self, tracking_number: str) -> Answer:
        found = [one for one in self.books.values() if one.tracking_number == tracking_number]
        if not found:
            return 404, {"error": "no such consignment"}
        if found[0].status not in (BOOKED, CANCELLED):
            return 409, {"error": f"the parcel is {found[0].status}"}
        found[0].status = CANCELLED
        return 200, self._entry(found[0])

    def _release(self) -> Any:
        held = [one for one in self.books.values() if not one.released.is_set()]
        for consignment in held:
            consignment.released.set()
        return {"released": len(held)}

    async def _carry(self, consignment: Consignment) -> None:
        await consignment.released.wait()
        for number, status in enumerate(WAYS.get(consignment.rule, NORMAL), start=1):
            await asyncio.sleep(self.pace)
            if consignment.status == CANCELLED:
                return
            consignment.status = status
            await self._report(consignment, f"{consignment.tracking_number}-{number}")

    async def _report(self, consignment: Consignment, id: str) -> None:
        status = consignment.status
        body = report_of(
            consignment.tracking_number, consignment.reference, status, self.clock.now(), PLACES.get(status, "")
        )
        await self._tell(id, body, consignment.trace)
        if consignment.rule == "TWC":
            await self._tell(f"{id}-again", body, consignment.trace)

    async def _tell(self, id: str, body: bytes, trace: str) -> None:
        """Sends a report until it is accepted, at most `tries` times."""
        for _ in range(self.tries):
            if self.tell is None or await self.tell(id, body, trace):
                return
            await asyncio.sleep(self.again)

    @staticmethod
    def _entry(consignment: Consignment) -> Mapping[str, str]:
        names = ("reference", "tracking_number", "status")
        return {name: getattr(consignment, name) for name in names}


class SimulatorServer:
    """The simulator behind an HTTP port.

    Args:
        callback: the address that reports are sent to.
        secret: the secret that reports are signed with.
    """

    def __init__(self, simulator: Simulator, *, callback: str, secret: str) -> None:
        self.simulator = simulator
        self.callback, self._secret = callback, secret

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves inside the block; yields the port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
            self.simulator.tell = partial(self._post, session)
            try:
                await web.TCPSite(runner, host, port).start()
                yield runner.addresses[0][1]
            finally:
                await self.simulator.close()
                await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        trace = request.headers.get("traceparent", "")
        status, told = await self.simulator.answer(request.method, request.path, await request.read(), trace)
        return web.json_response(told, status=status)

    async def _post(self, session: aiohttp.ClientSession, id: str, body: bytes, trace: str) -> bool:
        now = int(self.simulator.clock.now().timestamp())
        headers = {**sign(self._secret, id, now, body), "content-type": "application/json"}
        if trace:
            headers["traceparent"] = trace
        try:
            async with session.post(self.callback, data=body, headers=headers) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


async def _main(simulator: Simulator, arguments: argparse.Namespace) -> None:
    server = SimulatorServer(simulator, callback=arguments.callback, secret=arguments.secret)
    async with server.listening(arguments.host, arguments.port) as bound:
        print(f"carrier listening on {arguments.host}:{bound}", flush=True)  # noqa: T201 - its one line of output
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A simulated carrier.")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=7410)
    parser.add_argument("--callback", default="http://127.0.0.1:8080/webhooks/carrier", help="where reports are sent")
    parser.add_argument("--secret", default=DEVELOPMENT_SECRET, help="the secret that reports are signed with")
    parser.add_argument("--pace", type=float, default=0.1, help="seconds between two reports of a parcel")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(Simulator(pace=given.pace), given))
