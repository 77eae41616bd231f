"""Our client of the carrier: over HTTP, or of a simulator in this process for embedded runs."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import structlog
from treaty.causes import acting, current_cause
from treaty.clock import Clock
from treaty.web import Webhook, sign

from services.commerce.shipping.application import CarrierAway, Delivery, Undeliverable
from services.commerce.shipping.domain.events import Parcel
from services.commerce.shipping.external.carrier.messages import CONSIGNMENTS, NAME, consignment
from services.commerce.shipping.external.carrier.simulator import Simulator

logger = structlog.get_logger()

_LARGEST = 65_536


class CarrierClient:
    """Translates requests and answers of the carrier. Subclasses implement `exchange`, which sends them."""

    name = NAME

    async def book(self, reference: str, delivery: Delivery, parcels: Sequence[Parcel]) -> str:
        body = json.dumps(consignment(reference, delivery, parcels)).encode()
        status, told = await self.exchange("POST", CONSIGNMENTS, body)
        if status == 422:
            raise Undeliverable(f"the carrier cannot deliver: {_said(told, 'error')}")
        tracking_number = _said(told, "tracking_number")
        if status not in (200, 201) or not tracking_number:
            raise CarrierAway(f"the carrier answered a booking with {status}")
        return tracking_number

    async def cancel(self, tracking_number: str) -> bool:
        status, _ = await self.exchange("DELETE", f"{CONSIGNMENTS}/{tracking_number}")
        if status not in (200, 204, 404, 409):
            raise CarrierAway(f"the carrier answered a cancellation with {status}")
        return status != 409

    async def exchange(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        """Sends one request to the carrier. Returns the status and JSON value of the answer. Raises CarrierAway."""
        raise NotImplementedError

    def report_to(self, webhook: Webhook) -> None:
        """Sends the reports of a carrier in this process to a webhook. An external carrier calls our HTTP port."""


class HttpCarrier(CarrierClient):
    """The carrier over HTTP.

    Args:
        address: the address of the carrier, such as http://carrier:7410.
        patience: seconds to wait for an answer.
    """

    def __init__(self, address: str, patience: float) -> None:
        self._address = address.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=patience)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        assert self._session is not None, "the client of the carrier is not open: use it inside `async with`"
        headers = {"content-type": "application/json", "traceparent": current_cause().trace}
        url = f"{self._address}{path}"
        try:
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, _value(await _read(answer))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CarrierAway(f"the carrier at {self._address} did not answer: {type(error).__name__}") from error


class InProcessCarrier(CarrierClient):
    """The simulator without a socket, for embedded runs and tests. Its reports are signed and verified nevertheless."""

    def __init__(self, simulator: Simulator, patience: float, clock: Clock) -> None:
        self.simulator = simulator
        self._patience, self._clock = patience, clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.simulator.close()

    async def exchange(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        try:
            async with asyncio.timeout(self._patience):
                return await self.simulator.answer(method, path, body, current_cause().trace)
        except TimeoutError:
            raise CarrierAway(f"the carrier did not answer within {self._patience} s") from None

    def report_to(self, webhook: Webhook) -> None:
        async def tell(id: str, body: bytes, trace: str) -> bool:
            now = self._clock.now()
            try:
                cause = webhook.verified(sign(webhook.secret, id, int(now.timestamp()), body), body, now)
                with acting(cause):
                    await webhook.take(body)
            except Exception as error:
                logger.warning("a report of the carrier was not accepted", why=str(error))
                return False
            return True

        self.simulator.tell = tell


def carrier_at(address: str, patience: float, pace: float, clock: Clock) -> HttpCarrier | InProcessCarrier:
    """Returns the client of the carrier at an address, or of a simulated one in this process for "simulated"."""
    if address == "simulated":
        return InProcessCarrier(Simulator(clock, pace=pace), patience, clock)
    return HttpCarrier(address, patience)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Returns the body of an answer, or nothing if it is longer than any answer of a carrier."""
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _LARGEST:
            return b""
    return body


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _said(told: Any, name: str) -> str:
    """Returns a text of the carrier's answer, cut to 200 characters, or an empty text if there is none."""
    value = told.get(name) if isinstance(told, dict) else None
    return value[:200] if isinstance(value, str) else ""
