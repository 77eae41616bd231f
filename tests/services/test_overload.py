"""Far more calls than a process may carry out: the rest is refused at once, and nothing that was accepted is lost."""

import asyncio

import grpc
import pytest
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from treaty.memory.commits import Fault
from treaty.rpc.health import LIVENESS
from treaty.testing import eventually
from treaty.testing.world import embedded

INVENTORY = "commerce.inventory"
AT_A_TIME, OFFERED = 20, 200


def _says_when(error: grpc.aio.AioRpcError) -> bool:
    status = rpc_status.from_call(error)
    return status is not None and any(d.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for d in status.details)


@pytest.mark.slow
async def test_what_is_too_much_is_refused_at_once_and_the_rest_is_answered() -> None:
    async with embedded(INVENTORY, environ={"GRPC_MAX_CALLS": str(AT_A_TIME)}) as world:
        commits = world.stores[INVENTORY].commits
        stub = pb_grpc.InventoryServiceStub(world.channel)
        commits.faults.append(Fault.LAGGING)
        calls = [
            asyncio.ensure_future(
                stub.RegisterItem(pb.RegisterItemRequest(request_id=world.ids.new(), sku=f"lamp-{n}"), timeout=60)
            )
            for n in range(OFFERED)
        ]
        await eventually(lambda: sum(call.done() for call in calls) == OFFERED - AT_A_TIME)
        refusals = [call.exception() for call in calls if call.done()]
        health = health_pb2_grpc.HealthStub(world.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=LIVENESS), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

        await commits.catch_up()
        results = await asyncio.gather(*calls, return_exceptions=True)
        accepted = [result for result in results if isinstance(result, pb.RegisterItemResponse)]
        assert len(accepted) == len(commits.commits) == AT_A_TIME
        for refusal in refusals:
            assert isinstance(refusal, grpc.aio.AioRpcError)
            assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert _says_when(refusal)
        await stub.RegisterItem(pb.RegisterItemRequest(request_id=world.ids.new(), sku="after"), timeout=60)
