"""What people do to a running shop: rebuild its read models under load, and look after a stuck saga."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.payments.v1 import payments_service_pb2 as payments
from treaty.cli.context_map import services

from scripts.lib.demo.places import processes
from tests.journeys.paths import COMPLETED, PACE, SETTINGS
from tests.journeys.shop import Shop, gbp, new_id

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ORDERING = "commerce.ordering"


@dataclass(slots=True)
class Running:
    """A shop, and what the `treaty` command needs to find its stores."""

    shop: Shop
    environ: Mapping[str, str]

    async def treaty(self, *arguments: str) -> tuple[int | None, str]:
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "treaty.cli", *arguments),
            env=dict(self.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(200):
            output, _ = await command.communicate()
        return command.returncode, output.decode()

    async def treaty_json(self, *arguments: str) -> Any:
        code, output = await self.treaty(*arguments, "--json")
        assert code == 0, output
        return json.loads(output)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    prefix = f"t{uuid.uuid4().hex[:10]}"
    environ = {**os.environ, **alone, **SETTINGS}
    async with processes(environ, tmp_path_factory.mktemp("operations"), pace=PACE, prefix=prefix) as place:
        shop = Shop(place)
        uri = alone["MONGODB_URI"].replace("/?", f"/{prefix}?")
        yield Running(shop, {**environ, "MONGODB_URI": uri})
        await shop.close()


async def test_every_read_model_is_rebuilt_under_load_and_equals_the_lived_one(running: Running) -> None:
    shop = running.shop
    customer, sku = await shop.join(), await shop.sell(1000, 10_000)
    first = await shop.buy(sku, 1000, customer=customer)
    await shop.reaches(first, COMPLETED)
    enough = asyncio.Event()
    loads = [asyncio.create_task(_keep_buying(shop, sku, customer, enough)) for _ in range(3)]
    try:
        found = await running.treaty_json("projections", "rebuild", "--all", "--verify")
    finally:
        enough.set()
        await asyncio.gather(*loads)
    names = {f"{service.name}/{model.name}" for service in services() for model in service.read_models}
    assert set(found) == names
    assert {name for name, result in found.items() if result["equal"] is not True} == set(), found
    assert found[f"{ORDERING}/order_summary"]["rows"] > 1
    for order_id in shop.orders:
        await shop.reaches(order_id, COMPLETED)
    await shop.balanced()
    listed = await shop.ask("ordering", "ListOrders", ordering.ListOrdersRequest(customer_id=customer, page_size=200))
    assert {row.order_id for row in listed.orders} == set(shop.orders)
    after = await running.treaty_json("projections", "list")
    assert {row["generation"] for row in after.values()} == {1}


async def _keep_buying(shop: Shop, sku: str, customer: str, enough: asyncio.Event) -> None:
    while not enough.is_set() and len(shop.orders) < 150:
        await shop.buy(sku, 1000, customer=customer)


async def test_an_unknown_read_model_is_refused(running: Running) -> None:
    code, output = await running.treaty("projections", "rebuild", f"{ORDERING}/nothing")
    assert (code, "there is no read model" in output) == (2, True)
    code, output = await running.treaty("projections", "rebuild")
    assert (code, "--all" in output) == (2, True)


async def _stuck_return(shop: Shop) -> tuple[str, str]:
    """Lets a return come whose money somebody has given back already; returns the order and the return."""
    sku = await shop.sell(1000, 5)
    order_id = await shop.buy(sku, 1000)
    await shop.reaches(order_id, COMPLETED)
    refund = payments.RefundPaymentRequest(request_id=new_id(), order_id=order_id, refund_id=new_id(), amount=gbp(1400))
    await shop.ask("payments", "RefundPayment", refund)
    request = ordering.RequestReturnRequest(request_id=new_id(), order_id=order_id)
    order = (await shop.ask("ordering", "RequestReturn", request)).order
    return_id = order.returns[-1].return_id
    arrived = ordering.ReceiveReturnRequest(request_id=new_id(), order_id=order_id, return_id=return_id)
    await shop.ask("ordering", "ReceiveReturn", arrived)
    return order_id, return_id


async def test_a_stuck_saga_is_seen_resumed_and_ended_by_hand(running: Running) -> None:
    order_id, return_id = await _stuck_return(running.shop)

    async def is_stuck() -> dict[str, Any] | None:
        rows = await running.treaty_json("sagas", "list", ORDERING, "--stuck")
        return next((row for row in rows if row["id"] == return_id), None)

    row = await running.shop.eventually(is_stuck)
    assert row is not None
    assert "refunding" in row["why"]
    shown = await running.treaty_json("sagas", "show", ORDERING, "return", return_id)
    assert [fact["fact"] for fact in shown["facts"]][:3] == ["return-opened", "goods-arrived", "goods-restocked"]

    code, output = await running.treaty("sagas", "resume", ORDERING, "return", return_id, "--reason", "try again")
    assert code == 0, output

    async def refused_again() -> bool:
        facts = (await running.treaty_json("sagas", "show", ORDERING, "return", return_id))["facts"]
        return [fact["fact"] for fact in facts].count("step-refused") == 2

    await running.shop.eventually(refused_again)
    code, output = await running.treaty("sagas", "cancel", ORDERING, "return", return_id, "--reason", "paid by hand")
    assert code == 0, output

    async def closed() -> bool:
        [returned] = (await running.shop.order(order_id)).returns
        return (returned.status, returned.reason) == (ordering.RETURN_STATUS_CLOSED, "paid by hand")

    await running.shop.eventually(closed)
    assert await is_stuck() is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", ORDERING, "return", "unknown"], "there is no run unknown"),
        (["resume", ORDERING, "return", "unknown", "--reason", "x"], "does not exist"),
        (["resume", ORDERING, "checkout", "unknown", "--reason", "x"], "has no way to resume"),
        (["show", ORDERING, "nothing", "x"], "has no saga nothing"),
        (["cancel", ORDERING, "return", "x", "--reason", " "], "--reason must not be empty"),
    ],
)
async def test_a_command_for_what_is_not_there_says_so(running: Running, arguments: list[str], sentence: str) -> None:
    code, output = await running.treaty("sagas", *arguments)
    assert code == 2
    assert sentence in output
