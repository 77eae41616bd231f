"""`treaty replay` on the real servers: a consumer that lost messages is told again, while orders are placed."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aio_pika
import pytest

from tests.real.test_orders import SKUS, every_event_came_in_order, everything_adds_up, some_orders
from tests.real.test_quarantine_commands import treaty
from tests.real.town import Town, town

pytestmark = pytest.mark.slow

ORDERING, INVENTORY = "commerce.ordering", "commerce.inventory"


@pytest.fixture
async def shop(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Town]:
    async with town(servers, tmp_path) as running:
        for sku, pieces in SKUS.items():
            await running.stock(sku, pieces)
        await running.stock("BAD", 100, pence=13)
        yield running


async def lose_what_is_queued(shop: Town) -> int:
    """Empties the partitions of Inventory, as somebody does by mistake; returns how many messages that were."""
    connection = await aio_pika.connect(shop.environ["AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        queues = [await channel.get_queue(f"{INVENTORY}.q{partition}") for partition in range(4)]
        return sum([(await queue.purge()).message_count or 0 for queue in queues])


async def test_a_consumer_that_lost_messages_is_told_again_while_orders_are_placed(shop: Town) -> None:
    orders = some_orders(120)
    await asyncio.gather(*(shop.place(order) for order in orders[:20]))
    await shop.kill(INVENTORY)
    await asyncio.gather(*(shop.place(order) for order in orders[20:60]))
    await shop.eventually(partial(_announced, shop, 60))
    assert await shop.eventually(partial(lose_what_is_queued, shop)) > 0
    await shop.start(INVENTORY)

    placing = [asyncio.create_task(shop.place(order)) for order in orders[60:90]]
    replaying = asyncio.create_task(
        treaty(shop, "replay", "start", ORDERING, "--to", INVENTORY, "--reason", "the queues were emptied", "--json")
    )
    for order in orders[90:]:
        await shop.place(order)
    await asyncio.gather(*placing)
    code, output = await replaying
    assert code == 0, output
    found = json.loads(output)
    assert found["delivered"] >= 60
    assert found["left"] == []

    await shop.settled(orders)
    await everything_adds_up(shop, orders)
    await every_event_came_in_order(shop)
    assert not await shop.stores[INVENTORY].quarantine.find()

    before = await shop.events_committed()
    code, output = await treaty(shop, "replay", "start", ORDERING, "--to", INVENTORY, "--reason", "once more")
    assert code == 0, output
    assert "all of them are handled" in output
    await shop.settled(orders)
    assert await shop.events_committed() == before
    await everything_adds_up(shop, orders)

    _, output = await treaty(shop, "replay", "list", INVENTORY, "--json")
    assert [(row["status"], row["passed"], row["reason"]) for row in json.loads(output)] == [
        ("done", "4/4", "once more"),
        ("done", "4/4", "the queues were emptied"),
    ]
    code, output = await treaty(shop, "replay", "abandon", INVENTORY, found["id"])
    assert code == 2
    assert "no open replay" in output


def _announced(shop: Town, count: int) -> bool:
    return sum(event.type.endswith(".OrderPlaced") for event in shop.events) >= count
