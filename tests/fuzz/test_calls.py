"""Whatever bytes a client sends to any method, it is told clearly, and the process goes on working."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from treaty.rpc.health import LIVENESS
from treaty.testing import eventually
from treaty.testing.world import World

from tests.fuzz.messages import message, mutated

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CLEAR = {
    *(grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND),
    *(grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED),
    grpc.StatusCode.UNAVAILABLE,  # a list that has not come to a revision that was made up
}
EACH = 15
"""Messages of each sort to each method."""


def methods(world: World) -> Iterable[tuple[str, MethodDescriptor]]:
    """Every method of every context, with its path."""
    for runner in world.host.runners:
        name = runner.service.api.name
        for method in descriptor_pool.Default().FindServiceByName(name).methods:
            yield f"/{name}/{method.name}", method


async def sent(world: World, path: str, method: MethodDescriptor, body: bytes, **known: Any) -> grpc.StatusCode:
    """Sends bytes as a request, and returns what the server says."""
    try:
        if method.server_streaming:
            call = world.channel.unary_stream(path)(body, timeout=5, **known)
            await call.read()
            call.cancel()
        else:
            await world.channel.unary_unary(path)(body, timeout=20, **known)
    except grpc.aio.AioRpcError as error:
        if method.server_streaming and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return grpc.StatusCode.OK
        return error.code()
    return grpc.StatusCode.OK


async def works(world: World) -> bool:
    """Whether the process says that it lives, and a good command takes effect."""
    health = health_pb2_grpc.HealthStub(world.channel)
    alive = await health.Check(health_pb2.HealthCheckRequest(service=LIVENESS), timeout=10)
    stub = pb_grpc.InventoryServiceStub(world.channel)
    sku = f"good-{world.ids.new()}"
    await stub.RegisterItem(pb.RegisterItemRequest(request_id=world.ids.new(), sku=sku), timeout=10)
    received = pb.ReceiveStockRequest(request_id=world.ids.new(), sku=sku, quantity=3)
    answer = await stub.ReceiveStock(received, timeout=10)
    return bool(alive.status == health_pb2.HealthCheckResponse.SERVING and answer.item.on_hand == 3)


def garbage(chance: random.Random, method: MethodDescriptor) -> Iterable[bytes]:
    for _ in range(EACH):
        yield chance.randbytes(chance.choice((1, 5, 40, 400)))
        yield mutated(chance, message(chance, method.input_type).SerializeToString())
        yield message(chance, method.input_type).SerializeToString()


async def test_every_method_answers_any_bytes_with_a_clear_status(world: World, unheard: list[Any]) -> None:
    unclear: Counter[tuple[str, str]] = Counter()
    tried = 0
    for path, method in methods(world):
        bodies = list(garbage(random.Random(path), method))
        for body in bodies:
            code = await sent(world, path, method, body)
            tried += 1
            if code not in CLEAR:
                unclear[path, code.name] += 1
    assert tried > 1000
    assert unclear == Counter()
    assert await works(world)
    assert unheard == []


async def test_undecodable_bytes_are_the_clients_fault(world: World) -> None:
    for path, method in methods(world):
        assert await sent(world, path, method, b"\xff\xff\xff") is grpc.StatusCode.INVALID_ARGUMENT, path


async def test_an_unknown_method_is_unimplemented(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.channel.unary_unary("/commerce.inventory.v1.InventoryService/Nothing")(b"", timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("size", [1_048_577, 3_000_000])
async def test_a_request_above_the_limit_is_refused(world: World, size: int) -> None:
    for path, method in methods(world):
        code = await sent(world, path, method, b"\0" * size)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, path
    assert await works(world)


@pytest.mark.parametrize(
    "metadata",
    [
        [("x-large", "y" * 60_000)],
        [(f"x-{n}", "y" * 100) for n in range(500)],
        [("traceparent", "00-" + "f" * 32 + "-" + "z" * 16 + "-zz")],
        [("traceparent", "~" * 5000)],
        [("traceparent-bin", b"\xff" * 50)],
        [("grpc-status-details-bin", b"\xff" * 20)],
    ],
    ids=["large", "many", "trace", "long", "binary", "details"],
)
async def test_strange_metadata_harms_nobody(world: World, metadata: list[tuple[str, Any]]) -> None:
    path, method = next(iter(methods(world)))
    code = await sent(world, path, method, b"", metadata=metadata)
    assert code in {*CLEAR, grpc.StatusCode.INTERNAL}  # gRPC's core answers some of it itself
    assert await works(world)


async def test_streams_beyond_the_bound_are_refused_and_abandoned_ones_are_given_back(world: World) -> None:
    streams = [(path, method) for path, method in methods(world) if method.server_streaming]
    assert len(streams) > 1
    for path, method in streams:
        await _abandon(world, path, method)
    assert await works(world)


async def _abandon(world: World, path: str, method: MethodDescriptor) -> None:
    """Opens streams and leaves them at once, again and again; in the end, one is answered."""
    request = GetMessageClass(method.input_type)()
    if hasattr(request, "order_id"):
        request.order_id = "00000000-0000-4000-8000-000000000000"
    body = request.SerializeToString()
    for _ in range(5):
        calls = [world.channel.unary_stream(path)(body, timeout=10) for _ in range(60)]
        reads = [asyncio.ensure_future(call.read()) for call in calls]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    async def is_answered() -> bool:  # until the loop has seen that the others are gone
        code = await sent(world, path, method, body)
        return code in CLEAR - {grpc.StatusCode.RESOURCE_EXHAUSTED}

    await eventually(is_answered)
