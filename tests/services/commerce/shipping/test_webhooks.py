"""The carrier tells Shipping over HTTP: signed, verified, and each report once."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import aiohttp
import grpc
import pytest
from commerce.shipping.v1 import shipping_service_pb2 as pb
from treaty.clock import SystemClock
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.web.webhooks import sign

from services.commerce.shipping.external.carrier.messages import report_of
from services.commerce.shipping.external.carrier.simulator import Simulator, SimulatorServer
from tests.services.commerce.shipping.client import DELIVERED, NOW, ORDER, SECRET, Dispatch, running


@pytest.fixture
async def dispatch() -> AsyncIterator[Dispatch]:
    async with running() as one:
        yield one


async def post(dispatch: Dispatch, bodies: Iterable[bytes], *, secret: str = SECRET) -> list[int]:
    """Tells reports as the carrier does; returns how they were answered."""
    assert dispatch.world.host.webhooks is not None
    url = f"http://127.0.0.1:{dispatch.world.host.webhooks.port}/webhooks/carrier"
    answers = []
    async with aiohttp.ClientSession() as session:
        for body in bodies:
            headers = sign(secret, dispatch.ids.new(), int(SystemClock().now().timestamp()), body)
            async with session.post(url, data=body, headers=headers) as answer:
                answers.append(answer.status)
    return answers


async def test_reports_come_in_as_signed_webhooks(dispatch: Dispatch) -> None:
    dispatch.ordering.ends[ORDER] = "HLD"
    dispatch.ready()
    number = (await dispatch.comes_to(pb.SHIPMENT_STATUS_BOOKED)).tracking_number
    delivered = report_of(number, ORDER, "DELIVERED", NOW, "door")
    assert await post(dispatch, [delivered], secret="wrong") == [401]
    assert await post(dispatch, [b"hello", b"{}"]) == [400, 400]
    assert await post(dispatch, [report_of(number, ORDER, "LOST_IN_SPACE", NOW, "")]) == [204]
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_BOOKED
    assert await post(dispatch, [delivered, delivered]) == [204, 204]
    assert (await dispatch.get()).status == pb.SHIPMENT_STATUS_DELIVERED
    await eventually(lambda: len(dispatch.announced()) == 3)
    assert dispatch.announced() == DELIVERED


async def test_a_report_on_an_order_that_nobody_ships_is_taken_and_forgotten(dispatch: Dispatch) -> None:
    assert await post(dispatch, [report_of("PN1", ORDER, "DELIVERED", NOW, "")]) == [204]
    assert (await refusal(dispatch.get())).code is grpc.StatusCode.NOT_FOUND


async def test_the_carrier_behind_http_brings_parcels_to_the_door() -> None:
    async with AsyncExitStack() as stack:
        simulator = Simulator(pace=0.002, again=0.01)
        server = SimulatorServer(simulator, callback="", secret=SECRET)
        port = await stack.enter_async_context(server.listening("127.0.0.1", 0))
        dispatch = await stack.enter_async_context(running(SHIPPING_CARRIER=f"http://127.0.0.1:{port}"))
        assert dispatch.world.host.webhooks is not None
        server.callback = f"http://127.0.0.1:{dispatch.world.host.webhooks.port}/webhooks/carrier"
        dispatch.ordering.ends[ORDER] = "TWC"
        dispatch.ready()
        await dispatch.comes_to(pb.SHIPMENT_STATUS_DELIVERED)
        await dispatch.settled()
        await eventually(lambda: len(dispatch.announced()) == 3)
        assert dispatch.announced() == DELIVERED
