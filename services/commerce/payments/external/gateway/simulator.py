"""A simulated payment gateway: it keeps books, and fails according to rules. It can run as a separate process."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from treaty.clock import SystemClock
from treaty.settings import DEVELOPMENT_SECRET
from treaty.web import sign

from services.commerce.payments.external.gateway.messages import (
    APPROVED,
    AUTHORISE,
    BOOKS,
    CAPTURE,
    DO_NOT_HONOUR,
    EVERYTHING,
    EXPIRED_METHOD,
    IN_PROGRESS,
    REFUND,
    REQUESTS,
    REVERSE,
    UNKNOWN_METHOD,
    ForeignMessage,
    Line,
    answer,
    decode,
)

Behaviour = Literal[
    "approve",
    "decline",
    "silent",
    "late",
    "repeat",
    "callback",
    "callback-decline",
    "refuse-capture",
    "refuse-void",
    "refuse-refund",
]

RULES: Mapping[int, Behaviour] = {
    13: "decline",
    17: "silent",
    19: "late",
    23: "repeat",
    29: "callback",
    31: "callback-decline",
}
"""The gateway's behaviour by the last two digits of an amount, like the test cards of real gateways.

No amount makes the gateway refuse a capture, a void or a refund unless the rules are changed.
"""

TOKENS: Mapping[str, str] = {
    "tok_declined": DO_NOT_HONOUR,
    "tok_unknown": UNKNOWN_METHOD,
    "tok_expired": EXPIRED_METHOD,
}
"""The response code by the token of a payment method. With any other token, or none, the amount decides."""

REFUSED: Mapping[str, Behaviour] = {CAPTURE: "refuse-capture", REVERSE: "refuse-void", REFUND: "refuse-refund"}
"""The behaviour that refuses a type of request."""

Send = Callable[[Line], None]
Tell = Callable[[str, bytes], Awaitable[bool]]
"""(id of the message, its body) → whether it was accepted. If not, it is sent again."""

_TRIES = 60


@dataclass(slots=True)
class Account:
    """The gateway's books of one reference, in minor units. `refunds` are the ids of the refunds that it has made.

    `token` is the payment method that was charged, or empty.
    """

    amount: int = 0
    held: int = 0
    captured: int = 0
    refunded: int = 0
    verdict: str = ""
    reversed: bool = False
    refunds: set[str] = field(default_factory=set)
    token: str = ""


async def _nobody(id: str, body: bytes) -> bool:
    return False


@dataclass(slots=True)
class Simulator:
    """The behaviour of the gateway, without a connection.

    Args:
        rules: behaviour by the last two digits of the amount; all other amounts are approved.
        tokens: response codes by the token of a payment method; they come before the rules.
        late: seconds until a late answer or a callback is sent.
        tell: sends a callback.
    """

    rules: Mapping[int, Behaviour] = field(default_factory=lambda: RULES)
    late: float = 3.0
    tell: Tell = _nobody
    accounts: dict[str, Account] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=lambda: TOKENS)
    _later: set[asyncio.TimerHandle] = field(default_factory=set)
    _calling: set["asyncio.Task[None]"] = field(default_factory=set)

    def take(self, request: Line, send: Send) -> None:
        """Handles one request, and answers through `send`: now, later, twice or never."""
        if request.type == BOOKS:
            send(answer(request, self._books(request.reference)))
            return
        reference, _, refund = request.reference.partition("/")
        account = self.accounts.setdefault(reference, Account())
        if request.type == AUTHORISE:
            self._authorise(account, request, send)
            return
        if self.rules.get(account.amount % 100) == REFUSED.get(request.type, ""):
            send(answer(request, DO_NOT_HONOUR))
            return
        if request.type == CAPTURE:
            account.captured, account.held = account.captured + account.held, 0
        elif request.type == REFUND:
            self._refund(account, refund, int(request.amount))
        elif request.type == REVERSE:
            account.held, account.reversed = 0, True
        send(answer(request, APPROVED))

    def _authorise(self, account: Account, request: Line, send: Send) -> None:
        account.token = account.token or request.token
        if request.token in self.tokens:
            self._decide(account, int(request.amount), self.tokens[request.token])
            send(answer(request, account.verdict))
            return
        behaviour = self.rules.get(int(request.amount) % 100, "approve")
        if behaviour.startswith("callback"):
            self._decide_later(account, request, APPROVED if behaviour == "callback" else DO_NOT_HONOUR)
            send(answer(request, IN_PROGRESS))
            return
        self._decide(account, int(request.amount), DO_NOT_HONOUR if behaviour == "decline" else APPROVED)
        said = answer(request, account.verdict)
        if behaviour == "late":
            self._later.add(asyncio.get_running_loop().call_later(self.late, send, said))
        elif behaviour != "silent":
            send(said)
        if behaviour == "repeat":
            send(said)

    @staticmethod
    def _decide(account: Account, amount: int, verdict: str) -> None:
        if not account.verdict:
            account.amount, account.verdict = amount, verdict
            if verdict == APPROVED and not account.reversed:
                account.held = amount

    @staticmethod
    def _refund(account: Account, refund: str, amount: int) -> None:
        """Makes a refund once. A refund without an id refunds all money that is left."""
        if refund in account.refunds:
            return
        account.refunds.add(refund)
        left = account.captured - account.refunded
        account.refunded += min(amount, left) if refund else left

    def _decide_later(self, account: Account, request: Line, verdict: str) -> None:
        if account.amount:
            return
        account.amount = int(request.amount)
        task = asyncio.create_task(self._call_back(account, request, verdict))
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _call_back(self, account: Account, request: Line, verdict: str) -> None:
        await asyncio.sleep(self.late)
        self._decide(account, int(request.amount), verdict)
        body = json.dumps({"reference": request.reference, "type": "authorisation", "code": verdict}).encode()
        for _ in range(_TRIES):
            with contextlib.suppress(Exception):
                if await self.tell(f"verdict-{request.reference}", body):
                    return
            await asyncio.sleep(0.5)

    def _books(self, reference: str) -> str:
        wanted = self.accounts.values() if reference == EVERYTHING else [self.accounts.get(reference, Account())]
        sums = (sum(getattr(one, name) for one in wanted) for name in ("held", "captured", "refunded"))
        return ",".join(str(number) for number in sums)

    def close(self) -> None:
        """Cancels the answers and callbacks that are not sent yet."""
        for handle in self._later:
            handle.cancel()
        for task in self._calling:
            task.cancel()


class SimulatorServer:
    """The simulator behind a TCP port."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves inside the block; yields the port."""
        server = await asyncio.start_server(self._serve, host, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self.simulator.close()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(line: Line) -> None:
            if not writer.is_closing():
                writer.write(line.encode())

        with contextlib.suppress(ConnectionError):
            async for data in reader:
                try:
                    line = decode(data)
                    if line.type in REQUESTS:
                        self.simulator.take(line, send)
                except (ForeignMessage, ValueError):
                    break
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def calling(url: str, secret: str) -> AsyncIterator[Tell]:
    """Yields the function that sends signed callbacks over HTTP."""
    import aiohttp  # only a gateway in a separate process sends HTTP requests

    clock = SystemClock()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:

        async def tell(id: str, body: bytes) -> bool:
            headers = sign(secret, id, _seconds(clock.now()), body)
            async with session.post(url, data=body, headers=headers) as said:
                return said.status < 300

        yield tell


def _seconds(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp())


async def _main(arguments: argparse.Namespace) -> None:
    async with calling(arguments.callback, arguments.secret) as tell:
        simulator = Simulator(arguments.rules, arguments.late, tell)
        async with SimulatorServer(simulator).listening(arguments.host, arguments.port) as bound:
            print(f"gateway listening on {arguments.host}:{bound}", flush=True)  # noqa: T201 - its one line of output
            await asyncio.Event().wait()


def _rules(text: str) -> Mapping[int, Behaviour]:
    rules: dict[int, Behaviour] = {}
    for part in filter(None, text.split(",")):
        digits, _, behaviour = part.partition("=")
        known = {b: b for b in get_args(Behaviour)}
        if not digits.isdigit() or behaviour not in known:
            raise argparse.ArgumentTypeError(f"{part!r} is not <two digits>=<{'|'.join(known)}>")
        rules[int(digits)] = known[behaviour]
    return rules


def main() -> int:
    parser = argparse.ArgumentParser(description="A simulated payment gateway.")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=7400)
    parser.add_argument("--late", type=float, default=3.0, help="seconds until a late answer or a callback comes")
    parser.add_argument("--rules", type=_rules, default=RULES, help="by the last two digits: 13=decline,17=silent")
    parser.add_argument("--callback", default="http://127.0.0.1:8080/webhooks/gateway", help="where verdicts are sent")
    parser.add_argument("--secret", default=DEVELOPMENT_SECRET, help="the secret that verdicts are signed with")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
