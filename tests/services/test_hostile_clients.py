"""Clients that hold what they open, for as long as they like: everybody else is answered, and memory is bounded."""

import asyncio
import socket
from typing import Any

import grpc
import pytest
from commerce.ordering.v1 import ordering_service_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc
from treaty.rpc.client import channel, until_answered
from treaty.rpc.health import LIVENESS, READINESS
from treaty.settings import SettingsError
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.eventually import while_moving
from treaty.testing.recorder import Recorder
from treaty.testing.world import World, embedded

from scripts.lib.bench.attacks import streams
from tests.services.clients import Shop

ORDERING = "commerce.ordering"
GET, WATCH = (f"/commerce.ordering.v1.OrderingService/{name}" for name in ("GetOrder", "WatchOrder"))
HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

SMALL = {
    "GRPC_LISTENERS": "1",
    "GRPC_MAX_CALLS": "8",
    "GRPC_MAX_STREAMS": "8",
    "GRPC_MAX_UNREAD": "8",
    "HEALTH_PORT": "0",
}
"""Limits so small that a few streams of an attacker are more than all of them."""

ELSEWHERE = "127.0.0.2"
"""The address of an attacker that is not that of the other callers."""


def _target(world: World) -> str:
    assert world.host.server is not None
    return f"127.0.0.1:{world.host.server.port}"


async def _health(port: int | None, name: str) -> int:
    asking = channel(f"127.0.0.1:{port}")
    try:
        stub = health_pb2_grpc.HealthStub(asking)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
        return int(answer.status)
    finally:
        await asking.close()


async def _everybody_is_answered(shop: Shop, order_id: str) -> None:
    """Makes calls, opens a stream, and asks for health at both ports.

    The attacked port drops some calls with CANCELLED if they come too fast; a client repeats them.
    """
    for _ in range(5):
        assert (await until_answered(lambda: shop.get(order_id))).order_id == order_id
    async with asyncio.timeout(TIMEOUT):
        watched = pb.WatchOrderRequest(order_id=order_id)
        await until_answered(lambda: anext(aiter(shop.ordering.WatchOrder(watched))))
    server = shop.world.host.server
    assert server is not None
    assert await until_answered(lambda: _health(server.port, LIVENESS)) == SERVING
    assert await _health(server.health_port, LIVENESS) == SERVING


async def _placed(shop: Shop) -> str:
    order = shop.order()
    await shop.place(order)
    return str(order.request_id)


@pytest.mark.slow
@pytest.mark.parametrize("path", [GET, WATCH, HEALTH + "Check", HEALTH + "Watch", REFLECTION])
async def test_calls_without_a_request_keep_nobody_out(path: str) -> None:
    async with embedded(ORDERING, environ={**SMALL, "GRPC_PATIENCE_SECONDS": "600"}) as world:
        shop = Shop(world)
        order_id = await _placed(shop)
        async with streams(_target(world), path, count=300, connections=6) as attack:
            await eventually(lambda: attack.opened > 600)
            await _everybody_is_answered(shop, order_id)
            await eventually(lambda: attack.open <= 300 and attack.ended[EXHAUSTED] > 300)


@pytest.mark.slow
@pytest.mark.parametrize("path", [GET, WATCH, HEALTH + "Check", REFLECTION])
async def test_a_request_that_does_not_arrive_is_given_up(path: str) -> None:
    async with (
        embedded(ORDERING, environ={"GRPC_PATIENCE_SECONDS": "0.1"}) as world,
        streams(_target(world), path, count=20, connections=2) as attack,
    ):
        await eventually(lambda: attack.ended[EXHAUSTED] >= 20)


@pytest.mark.slow
async def test_thousands_of_calls_without_a_request_keep_nobody_out() -> None:
    """At the default limits: more than all listeners together take."""
    async with embedded(ORDERING, environ={"HEALTH_PORT": "0"}) as world:
        shop = Shop(world)
        order_id = await _placed(shop)
        before = len(asyncio.all_tasks())
        async with streams(_target(world), GET, count=7_000) as attack:
            await while_moving(lambda: attack.opened > 9_000 or attack.open == 7_000, lambda: attack.opened)
            await _everybody_is_answered(shop, order_id)
            assert len(asyncio.all_tasks()) - before < 1_000


async def test_a_call_that_ends_without_a_request_is_refused() -> None:
    async with embedded(ORDERING) as world:
        calls: list[Any] = [
            world.channel.stream_unary(GET)(iter([])),
            world.channel.stream_unary(HEALTH + "Check")(iter([])),
        ]
        for call in calls:
            assert (await refusal(call)).code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.slow
async def test_a_sender_that_takes_no_answers_gets_no_more_calls_and_others_do() -> None:
    async with embedded(ORDERING, environ=SMALL) as world:
        shop = Shop(world)
        order_id = await _placed(shop)
        body = pb.GetOrderRequest(order_id=order_id).SerializeToString()
        async with streams(_target(world), GET, body=body, window=0, count=300, sender=ELSEWHERE) as attack:
            await eventually(lambda: attack.ended[EXHAUSTED] > 300)
            assert attack.open < 300
            await _everybody_is_answered(shop, order_id)


@pytest.mark.slow
async def test_senders_that_leave_without_their_answers_end_no_process() -> None:
    async with embedded(ORDERING, environ=SMALL) as world:
        shop = Shop(world)
        order_id = await _placed(shop)
        body = pb.GetOrderRequest(order_id=order_id).SerializeToString()

        async def come_and_go(sender: str) -> None:
            for _ in range(40):
                async with streams(_target(world), GET, body=body, window=0, count=60, sender=sender) as attack:
                    await eventually(lambda: attack.ended[EXHAUSTED] > 60)

        async with asyncio.TaskGroup() as senders:
            for number in range(2, 6):
                senders.create_task(come_and_go(f"127.0.0.{number}"))
        await _everybody_is_answered(shop, order_id)


@pytest.mark.slow
@pytest.mark.parametrize("window", [0, 2**30], ids=["not reading", "reading"])
async def test_a_sender_with_all_the_streams_gives_one_to_another_sender(window: int) -> None:
    async with embedded(ORDERING, environ=SMALL) as world:
        shop = Shop(world)
        order_id = await _placed(shop)
        body = pb.WatchOrderRequest(order_id=order_id).SerializeToString()
        async with streams(_target(world), WATCH, body=body, window=window, count=50, sender=ELSEWHERE) as attack:
            await eventually(lambda: attack.ended[EXHAUSTED] > 100)
            await _everybody_is_answered(shop, order_id)


async def test_clients_with_one_address_share_the_streams_as_they_come() -> None:
    async with embedded(ORDERING, environ={**SMALL, "GRPC_MAX_STREAMS": "2"}) as world:
        shop = Shop(world)
        request = pb.WatchOrderRequest(order_id=await _placed(shop))
        watching = [shop.ordering.WatchOrder(request) for _ in range(2)]
        for one in watching:
            await anext(aiter(one))
        refused = await refusal(anext(aiter(shop.ordering.WatchOrder(request))))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        for one in watching:
            one.cancel()


async def test_a_stream_whose_messages_nobody_takes_ends_its_work() -> None:
    probe = Recorder()
    async with embedded(ORDERING, environ={"GRPC_PATIENCE_SECONDS": "0.1"}, probe=probe) as world:
        body = pb.WatchOrderRequest(order_id=await _placed(Shop(world))).SerializeToString()
        async with streams(_target(world), WATCH, body=body, window=0, count=5, connections=1):
            await eventually(lambda: probe.counts["treaty.streams.refused"] == 5)


@pytest.mark.slow
async def test_a_client_that_watches_health_and_does_not_read_holds_no_change_up() -> None:
    async with embedded(ORDERING, environ={**SMALL, "GRPC_PATIENCE_SECONDS": "600"}) as world:
        server = world.host.server
        assert server is not None
        body = health_pb2.HealthCheckRequest(service=READINESS).SerializeToString()
        async with streams(_target(world), HEALTH + "Watch", body=body, window=0, count=3, connections=1) as attack:
            await eventually(lambda: attack.opened == 3)
            async with asyncio.timeout(TIMEOUT):
                await world.host.stop()
        assert server.health_port


@pytest.mark.slow
async def test_watching_clients_see_each_change_of_health() -> None:
    async with embedded(ORDERING) as world:
        server = world.host.server
        assert server is not None
        stub: Any = health_pb2_grpc.HealthStub(world.channel)
        watching = aiter(stub.Watch(health_pb2.HealthCheckRequest(service="of nobody"), timeout=TIMEOUT))
        assert (await anext(watching)).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        server._health.set("of nobody", serving=False)
        assert (await anext(watching)).status == NOT_SERVING
        server._health.set("of nobody", serving=True)
        assert (await anext(watching)).status == SERVING


@pytest.mark.slow
async def test_connections_beyond_the_limit_are_closed_and_health_is_answered_at_its_port() -> None:
    async with embedded(ORDERING, environ={**SMALL, "GRPC_MAX_CONNECTIONS": "20"}) as world:
        server = world.host.server
        assert server is not None
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(60)]
        for _, writer in opened:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        reading = [asyncio.ensure_future(reader.read(-1)) for reader, _ in opened]
        await eventually(lambda: sum(one.done() for one in reading) >= 35)
        assert await _health(server.health_port, LIVENESS) == SERVING
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*reading, return_exceptions=True)


@pytest.mark.slow
async def test_clients_that_hold_the_health_port_open_keep_no_probe_out() -> None:
    async with embedded(ORDERING, environ={**SMALL, "GRPC_PATIENCE_SECONDS": "600"}) as world:
        server = world.host.server
        assert server is not None
        health, watch = f"127.0.0.1:{server.health_port}", health_pb2.HealthCheckRequest(service=LIVENESS)
        opened = [await asyncio.open_connection("127.0.0.1", server.health_port) for _ in range(100)]
        async with (
            streams(health, HEALTH + "Check", count=100, connections=4) as unread,
            streams(
                health, HEALTH + "Watch", body=watch.SerializeToString(), window=0, count=100, connections=4
            ) as watches,
        ):
            await eventually(lambda: unread.opened > 300 and watches.opened > 300)
            assert await _health(server.health_port, LIVENESS) == SERVING
        for _, writer in opened:
            writer.close()


async def test_a_health_port_that_somebody_else_has_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"HEALTH_PORT {port}"):
            async with embedded(ORDERING, environ={"HEALTH_PORT": str(port)}):
                pass
