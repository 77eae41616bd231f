"""What every service does at its port, whatever it is about."""

import asyncio
from typing import Any

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as inventory_pb
from commerce.payments.v1 import payments_service_pb2 as payments_pb
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from treaty.commits.log import StoreAway
from treaty.memory.commits import Fault
from treaty.process.runner import Runner
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import World, embedded

from tests.services.clients import Shop, money

ALL = ("commerce.ordering", "commerce.inventory", "commerce.payments")
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def _health(world: World, name: str) -> int:
    stub: Any = health_pb2_grpc.HealthStub(world.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
    return int(answer.status)


async def _is(world: World, name: str, status: int) -> bool:
    return await _health(world, name) == status


async def test_a_process_lives_and_is_ready_for_each_of_its_services() -> None:
    async with embedded(*ALL) as world:
        names = ["", "readiness", *(f"{n}.v1.{n.split('.')[1].capitalize()}Service" for n in ALL)]
        for name in names:
            await eventually(lambda wanted=name: _is(world, wanted, SERVING))  # type: ignore[misc]
        assert await _health(world, "liveness") == SERVING


@pytest.mark.slow
async def test_a_process_whose_store_is_away_lives_but_is_not_ready() -> None:
    async with embedded("commerce.payments") as world:
        await eventually(lambda: _is(world, "readiness", SERVING))

        async def away() -> None:
            raise StoreAway("no primary")

        store = world.stores["commerce.payments"]
        ping, store.ping = store.ping, away  # type: ignore[method-assign]
        await eventually(lambda: _is(world, "readiness", NOT_SERVING))
        assert await _health(world, "liveness") == SERVING
        store.ping = ping  # type: ignore[method-assign]
        await eventually(lambda: _is(world, "readiness", SERVING))


async def test_clients_can_ask_what_is_served() -> None:
    async with embedded(*ALL) as world:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(world.channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = await anext(aiter(stub.ServerReflectionInfo(iter([question]), timeout=TIMEOUT)))
        names = {service.name for service in answer.list_services_response.service}
    assert {
        "commerce.ordering.v1.OrderingService",
        "commerce.inventory.v1.InventoryService",
        "commerce.payments.v1.PaymentsService",
        "grpc.health.v1.Health",
    } <= names


async def test_a_message_over_the_limit_is_refused() -> None:
    async with embedded("commerce.inventory", environ={"GRPC_MAX_MESSAGE_BYTES": "2048"}) as world:
        shop = Shop(world)
        large = inventory_pb.RegisterItemRequest(request_id=shop.ids.new(), sku="tea", description="x" * 3000)
        assert (await refusal(shop.inventory.RegisterItem(large, timeout=TIMEOUT))).code in {
            grpc.StatusCode.RESOURCE_EXHAUSTED
        }
        await shop.stock("tea", 1)


async def _stuck(shop: Shop, context: str, call: Any) -> "asyncio.Task[Any]":
    """Starts a command whose commit no majority acknowledges yet."""
    commits = shop.world.stores[context].commits
    commits.faults.append(Fault.LAGGING)
    task: asyncio.Task[Any] = asyncio.ensure_future(call)
    await eventually(lambda: not commits.faults)
    return task


async def test_calls_beyond_the_bound_are_refused_at_once_and_health_is_not() -> None:
    async with embedded("commerce.ordering", environ={"GRPC_MAX_CALLS": "1"}) as world:
        shop = Shop(world)
        await shop.offer("tea", money(100))
        running = await _stuck(shop, "commerce.ordering", shop.place(shop.order()))
        for call in (shop.get(shop.ids.new()), shop.place(shop.order())):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert refused.retry_seconds == 1
        assert await _health(world, "liveness") == SERVING
        await world.stores["commerce.ordering"].commits.catch_up()
        await running
        assert (await refusal(shop.get(shop.ids.new()))).code is grpc.StatusCode.NOT_FOUND


async def test_a_call_without_a_deadline_gets_one_and_its_repeat_the_answer() -> None:
    async with embedded("commerce.ordering", environ={"GRPC_DEADLINE_SECONDS": "0.1"}) as world:
        shop = Shop(world)
        request = shop.order()
        await shop.offer("tea", money(100))
        calling = await _stuck(shop, "commerce.ordering", shop.ordering.PlaceOrder(request))
        refused = await refusal(calling)
        assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "request_id" in refused.message
        await world.stores["commerce.ordering"].commits.catch_up()
        assert (await shop.place(request)).revision == f"order-{request.request_id}@1"


async def test_a_client_that_hangs_up_leaves_a_whole_commit_behind() -> None:
    async with embedded("commerce.ordering") as world:
        shop = Shop(world)
        request = shop.order()
        await shop.offer("tea", money(100))
        calling = await _stuck(shop, "commerce.ordering", shop.place(request))
        calling.cancel()
        await asyncio.wait([calling])
        await world.stores["commerce.ordering"].commits.catch_up()
        assert (await shop.place(request)).revision == f"order-{request.request_id}@1"


async def test_a_fault_of_ours_tells_a_client_nothing() -> None:
    async with embedded("commerce.payments") as world:

        async def broken(*args: object, **kwargs: object) -> None:
            raise ZeroDivisionError("the password is hush")

        world.stores["commerce.payments"].log.head = broken
        shop = Shop(world)
        refused = await refusal(shop.payment(shop.ids.new()))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hush" not in refused.message


async def test_a_store_that_is_away_is_unavailable() -> None:
    async with embedded("commerce.payments") as world:

        async def away(*args: object, **kwargs: object) -> None:
            raise StoreAway("mongodb://secret")

        world.stores["commerce.payments"].log.head = away
        shop = Shop(world)
        refused = await refusal(shop.payment(shop.ids.new()))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_AWAY")
    assert "secret" not in refused.message


async def test_a_commit_that_cannot_be_read_makes_its_stream_unavailable_and_no_other() -> None:
    async with embedded("commerce.ordering") as world:
        shop = Shop(world)
        await shop.offer("tea", money(100))
        request = shop.order()
        world.stores["commerce.ordering"].commits.spoil(f"order-{request.request_id}@{1:012d}")
        await shop.place(request)
        refused = await refusal(shop.get(request.request_id))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_UNREADABLE")
        await shop.place(shop.order())


async def test_stopping_finishes_what_runs_and_refuses_what_comes() -> None:
    async with embedded("commerce.ordering", environ={"GRPC_DRAIN_SECONDS": "20"}) as world:
        shop = Shop(world)
        await shop.offer("tea", money(100))
        running = await _stuck(shop, "commerce.ordering", shop.place(shop.order()))
        stopping = asyncio.create_task(world.host.stop())
        await eventually(lambda: _is_unavailable(shop))
        assert not running.done()
        await world.stores["commerce.ordering"].commits.catch_up()
        assert (await running).revision
        await stopping


async def test_calls_and_messages_share_the_time_of_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []

    async def stop(runner: Runner, *, within: float) -> None:
        left.append(within)
        await stops(runner)

    stops = Runner.stop
    monkeypatch.setattr(Runner, "stop", stop)
    for seconds in ("20", "0"):
        async with embedded("commerce.ordering", environ={"GRPC_DRAIN_SECONDS": seconds}):
            pass
    assert 1.0 < left[0] <= 20.0
    assert left[1] == 1.0


async def _is_unavailable(shop: Shop) -> bool:
    request = payments_pb.GetPaymentRequest(order_id=shop.ids.new())
    try:
        await shop.ordering.GetOrder(request, timeout=1.0)
    except grpc.aio.AioRpcError as error:
        return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    return False


async def test_the_digest_of_a_request_depends_on_the_key() -> None:
    digests = set()
    for key in ("one", "two"):
        async with embedded("commerce.ordering", environ={"TREATY_DIGEST_KEY": key}) as world:
            shop = Shop(world)
            await shop.place(shop.order())
            commits = world.stores["commerce.ordering"].commits.commits
            [placed, *_] = [commit for commit in commits if commit.stream.startswith("order-")]
            digests.add(placed.causes[0].digest)
    assert len(digests) == 2
    assert all(len(digest) == 32 for digest in digests)


async def test_an_unknown_method_is_unimplemented() -> None:
    async with embedded("commerce.ordering") as world:
        shop = Shop(world)
        refused = await refusal(shop.payment(shop.ids.new()))
    assert refused.code is grpc.StatusCode.UNIMPLEMENTED
