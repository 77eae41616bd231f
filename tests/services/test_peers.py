"""Asking another context over gRPC: its refusals are the domain's, everything else is asked again."""

from dataclasses import replace

import pytest
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from treaty.causes import Cause, acting
from treaty.domain import Invalid, NotFound, Rejected
from treaty.probes import NoProbe
from treaty.rpc.peers import Peer, PeerAway
from treaty.testing.world import World, embedded

from tests.services.clients import Shop

UUID = "11111111-2222-4333-8444-555555555555"


def _peer(world: World) -> Peer:
    assert world.host.server is not None
    address = f"127.0.0.1:{world.host.server.port}"
    return Peer("commerce.inventory", lambda context: address, NoProbe())


def _cause(id: str = "order-1@000000000002!0000") -> Cause:
    return Cause(id=id, durable=True)


async def test_a_repeated_question_takes_effect_once() -> None:
    async with embedded("commerce.inventory") as world, _peer(world) as peer:
        await Shop(world).stock("tea", 1)
        for _ in range(3):
            with acting(_cause()):
                request = pb.ReceiveStockRequest(request_id=peer.request_id("receive"), sku="tea", quantity=4)
                await peer.ask(InventoryServiceStub, "ReceiveStock", request)
        assert await Shop(world).on_hand("tea") == (5, 0)


def test_a_request_id_follows_from_the_cause_and_the_step() -> None:
    with acting(_cause()):
        ids = {Peer.request_id("a"), Peer.request_id("a"), Peer.request_id("b")}
    with acting(_cause("order-1@000000000003!0000")):
        ids.add(Peer.request_id("a"))
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("method", "request_", "kind", "reason"),
    [
        ("GetStock", pb.GetStockRequest(sku="unheard-of"), NotFound, "NOT_FOUND"),
        ("GetStock", pb.GetStockRequest(sku="tea pot"), Invalid, "INVALID_REQUEST"),
        ("RegisterItem", pb.RegisterItemRequest(request_id=UUID, sku="tea"), Rejected, "ITEM_REGISTERED_ALREADY"),
    ],
)
async def test_a_refusal_is_the_domains_own(method: str, request_: object, kind: type[Exception], reason: str) -> None:
    async with embedded("commerce.inventory") as world, _peer(world) as peer:
        await Shop(world).stock("tea", 1)
        with acting(_cause()), pytest.raises(kind) as refused:
            await peer.ask(InventoryServiceStub, method, request_)
        assert refused.value.reason == reason  # type: ignore[attr-defined]


async def test_a_context_that_is_away_is_asked_again_later() -> None:
    async with Peer("commerce.inventory", lambda context: "127.0.0.1:1", NoProbe()) as peer:
        with acting(_cause()), pytest.raises(PeerAway):
            await peer.ask(InventoryServiceStub, "GetStock", pb.GetStockRequest(sku="tea"), timeout=0.3)


async def test_a_call_to_another_context_continues_what_began_its_cause() -> None:
    async with embedded("commerce.inventory") as world, _peer(world) as peer:
        await Shop(world).stock("tea", 1)
        for number, began in enumerate(["order-7", "", "ä"]):
            with acting(replace(_cause(f"order-1@00000000000{number}!0000"), correlation=began)):
                request = pb.ReceiveStockRequest(request_id=peer.request_id("receive"), sku="tea", quantity=1)
                await peer.ask(InventoryServiceStub, "ReceiveStock", request)
        commits = await world.stores["commerce.inventory"].log.under("stock-")
        began_by = [
            commit.causes[0].correlation for commit in commits if commit.causes[0].id.startswith("ReceiveStock")
        ]
        # A correlation that is no header cannot be sent; then the call counts as the beginning.
        assert began_by[-3:] == ["order-7", "order-1@000000000001!0000", request.request_id]
