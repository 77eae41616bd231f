"""The adapters of the `Gateway` port: over a socket, or in this process for embedded runs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import structlog
from treaty.causes import acting
from treaty.web import Webhook

from services.commerce.money import Money
from services.commerce.payments.application import Answer, GatewayAway, GatewayRefused, GatewayTimeout
from services.commerce.payments.external.gateway.messages import (
    APPROVED,
    AUTHORISE,
    BOOKS,
    CAPTURE,
    EVERYTHING,
    REFUND,
    REVERSE,
    TRY_AGAIN,
    ForeignMessage,
    Line,
    decode,
    refusal_of,
    request,
    to_answer,
)
from services.commerce.payments.external.gateway.simulator import Simulator

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The sums of money that the gateway holds, has captured, and has refunded for us, in minor units."""

    held: int
    captured: int
    refunded: int


Transmit = Callable[[Line], Awaitable[None]]


class GatewayClient:
    """Matches answers to requests. Drops answers that are late or repeated.

    Args:
        patience: seconds to wait for an answer.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: dict[tuple[str, str], asyncio.Future[Line]] = {}
        self._received = 0

    async def authorise(self, reference: str, amount: Money, token: str = "") -> Answer:
        return to_answer(await self._ask(request(AUTHORISE, reference, amount, token)))

    async def capture(self, reference: str, amount: Money) -> None:
        await self._must_succeed(request(CAPTURE, reference, amount))

    async def void(self, reference: str) -> None:
        await self._must_succeed(request(REVERSE, reference))

    async def refund(self, reference: str, refund_id: str, amount: Money) -> None:
        await self._must_succeed(request(REFUND, f"{reference}/{refund_id}", amount))

    async def books(self, reference: str = EVERYTHING) -> Books:
        """Returns the gateway's books of one reference, or of all references, to compare them with ours."""
        said = await self._ask(request(BOOKS, reference))
        held, captured, refunded = (int(number) for number in said.amount.split(","))
        return Books(held=held, captured=captured, refunded=refunded)

    def call_back(self, webhook: Webhook) -> None:
        """Sends the callbacks of a gateway in this process to a webhook. An external gateway calls our HTTP port."""

    async def transmit(self, line: Line) -> None:
        """Sends a line to the gateway."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Gives up the connection, if there is one; the next request opens another."""

    def receive(self, line: Line) -> None:
        """Receives a line from the gateway."""
        self._received += 1
        waiting = self._waiting.get((line.answers, line.reference))
        if waiting is None or waiting.done():
            logger.info("the gateway sent a late or repeated answer", reference=line.reference, code=line.amount)
        else:
            waiting.set_result(line)

    async def _must_succeed(self, line: Line) -> None:
        said = await self._ask(line)
        if said.amount in TRY_AGAIN:
            raise GatewayAway(f"the gateway answered {said.type} for {line.reference} with {said.amount}")
        if said.amount != APPROVED:
            raise GatewayRefused(refusal_of(said.amount))

    async def _ask(self, line: Line) -> Line:
        key, received = (line.type, line.reference), self._received
        waiting = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(self._patience):
                await self.transmit(line)
                return await asyncio.shield(waiting)
        except TimeoutError:
            if self._received == received:  # perhaps nobody is there any more, and TCP tells it only after minutes
                self.hang_up()
            raise GatewayTimeout(f"the gateway did not answer for {line.reference} within {self._patience} s") from None
        finally:
            self._waiting.pop(key, None)


class SocketGateway(GatewayClient):
    """Uses one connection to the gateway, and opens a new one when it breaks or is silent during a whole request."""

    def __init__(self, host: str, port: int, patience: float) -> None:
        super().__init__(patience)
        self._host, self._port = host, port
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self.hang_up()

    async def transmit(self, line: Line) -> None:
        writer = await self._connected()
        try:
            writer.write(line.encode())
            await writer.drain()
        except OSError as error:
            self._close(writer)
            raise GatewayAway(str(error)) from error

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None or self._writer.is_closing():
                try:
                    async with asyncio.timeout(2.0):
                        reader, self._writer = await asyncio.open_connection(self._host, self._port)
                except (OSError, TimeoutError) as error:
                    raise GatewayAway(f"the gateway at {self._host}:{self._port} cannot be reached") from error
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for data in reader:
                self.receive(decode(data))
        except (OSError, ForeignMessage, ValueError) as error:  # ValueError: a line without an end
            logger.warning("the connection to the gateway broke", error=str(error))
        finally:
            self._close(writer)

    def hang_up(self) -> None:
        if self._writer is not None:
            self._close(self._writer)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        """Closes a connection; there may be a newer one already."""
        with contextlib.suppress(OSError):
            writer.close()
        if self._writer is writer:
            self._writer = None


class InProcessGateway(GatewayClient):
    """The simulator without a socket, for embedded runs and tests."""

    def __init__(self, simulator: Simulator, patience: float) -> None:
        super().__init__(patience)
        self.simulator = simulator

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.simulator.close()

    def call_back(self, webhook: Webhook) -> None:
        async def tell(id: str, body: bytes) -> bool:
            with acting(webhook.cause(id, body)):
                await webhook.take(body)
            return True

        self.simulator.tell = tell

    async def transmit(self, line: Line) -> None:
        asyncio.get_running_loop().call_soon(self.simulator.take, line, self.receive)


def gateway_at(address: str, patience: float) -> SocketGateway | InProcessGateway:
    """Returns the client of the gateway at `host:port`, or of a simulated one in this process for "simulated"."""
    if address == "simulated":
        return InProcessGateway(Simulator(), patience)
    host, _, port = address.rpartition(":")
    return SocketGateway(host, int(port), patience)
