"""A payment gateway to try things with: it keeps books, and misbehaves by rule. Run it as a process of its own."""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from services.commerce.payments.gateway import (
    APPROVED,
    DO_NOT_HONOUR,
    REQUESTS,
    ForeignMessage,
    Line,
    answer,
    decode,
)

Behaviour = Literal["approve", "decline", "silent", "late", "repeat"]

RULES: Mapping[int, Behaviour] = {13: "decline", 17: "silent", 19: "late", 23: "repeat"}
"""What the last two digits of an amount make the gateway do, as the test cards of real gateways do."""

Send = Callable[[Line], None]


@dataclass(slots=True)
class Account:
    """What the gateway knows of one reference, in minor units."""

    amount: int = 0
    held: int = 0
    captured: int = 0
    refunded: int = 0
    verdict: str = ""
    reversed: bool = False


@dataclass(slots=True)
class Simulator:
    """The gateway's mind.

    Args:
        rules: behaviour by the last two digits of the amount; all others are approved.
        late: seconds after which a late answer comes.
    """

    rules: Mapping[int, Behaviour] = field(default_factory=lambda: RULES)
    late: float = 3.0
    accounts: dict[str, Account] = field(default_factory=dict)
    _later: set[asyncio.TimerHandle] = field(default_factory=set)

    def take(self, request: Line, send: Send) -> None:
        """Takes one request; answers through `send` now, later, twice or never."""
        account = self.accounts.setdefault(request.reference, Account())
        match request.type:
            case "0100":
                self._authorise(account, request, send)
            case "0220":
                account.captured, account.held = account.captured + account.held, 0
                send(answer(request, APPROVED))
            case "0200":
                account.refunded = account.captured
                send(answer(request, APPROVED))
            case "0400":
                account.held, account.reversed = 0, True
                send(answer(request, APPROVED))

    def _authorise(self, account: Account, request: Line, send: Send) -> None:
        behaviour = self.rules.get(int(request.amount) % 100, "approve")
        if not account.verdict:
            account.amount = int(request.amount)
            account.verdict = DO_NOT_HONOUR if behaviour == "decline" else APPROVED
            if account.verdict == APPROVED and not account.reversed:
                account.held = account.amount
        said = answer(request, account.verdict)
        if behaviour == "late":
            self._later.add(asyncio.get_running_loop().call_later(self.late, send, said))
        elif behaviour != "silent":
            send(said)
        if behaviour == "repeat":
            send(said)

    def close(self) -> None:
        """Forgets the answers that were still to come."""
        for handle in self._later:
            handle.cancel()


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


async def _main(host: str, port: int, rules: Mapping[int, Behaviour], late: float) -> None:
    async with SimulatorServer(Simulator(rules, late)).listening(host, port) as bound:
        print(f"gateway listening on {host}:{bound}", flush=True)  # noqa: T201 - its one line of output
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A simulated payment gateway.")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=7400)
    parser.add_argument("--late", type=float, default=3.0, help="seconds until a late answer comes")
    parser.add_argument("--rules", type=_rules, default=RULES, help="by the last two digits: 13=decline,17=silent")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(arguments.host, arguments.port, arguments.rules, arguments.late))
