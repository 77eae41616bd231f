"""`treaty quarantine` on the real servers: what cannot be handled waits with all behind it, until a person decides."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from commerce.ordering.v1 import ordering_events_pb2 as events
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope

from tests.real.town import Order, Town, new_id, town

pytestmark = pytest.mark.slow

INVENTORY = "commerce.inventory"


@pytest.fixture
async def shop(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Town]:
    async with town(servers, tmp_path) as running:
        await running.stock("LAMP", 100)
        yield running


async def treaty(shop: Town, *arguments: str) -> tuple[int, str]:
    """Runs the command, and returns its exit code and all it printed."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "treaty.cli",
        *arguments,
        env=dict(shop.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await running.communicate()
    return running.returncode or 0, output.decode()


async def listed(shop: Town) -> list[dict[str, Any]]:
    _, output = await treaty(shop, "quarantine", "list", INVENTORY, "--json")
    rows: list[dict[str, Any]] = json.loads(output)
    return rows


def placed(order: Order, number: int) -> Envelope:
    """Returns an OrderPlaced as Ordering would publish it."""
    event = events.OrderPlaced(order_id=order.id)
    for sku, pieces in order.lines.items():
        event.lines.add(sku=sku, quantity=pieces)
    return Envelope(
        id=f"order-{order.id}@{number}#1",
        type="commerce.ordering.v1.OrderPlaced",
        source=f"/commerce.ordering/order-{order.id}",
        subject=order.id,
        time=datetime.now(UTC),
        partition_key=order.id,
        sequence=f"{number:012d}",
        body=event.SerializeToString(),
    )


async def test_a_poisoned_message_holds_its_key_alone_until_it_is_discarded(shop: Town) -> None:
    held, other = Order(new_id(), {"LAMP": 3}), Order(new_id(), {"LAMP": 4})
    poison = replace(placed(held, 1), body=b"\xff\xff not a message")
    for envelope in (poison, placed(held, 2), placed(other, 1)):
        await shop.broker.publish(exchange_of("commerce.ordering"), envelope)

    await shop.eventually(lambda: _reserved(shop, 4))
    rows = await shop.eventually(lambda: _when(listed(shop), 2))
    assert [row["id"].rpartition("@")[2] for row in rows] == ["1#1", "2#1"]
    assert "DecodeError" in rows[0]["error"]
    assert rows[1]["error"] == "waits behind another"

    code, shown = await treaty(shop, "quarantine", "show", INVENTORY, rows[0]["id"])
    assert code == 0
    assert "ce-type" in shown
    assert "Traceback" in shown

    code, refused = await treaty(shop, "quarantine", "discard", INVENTORY, rows[0]["id"])
    assert code == 2
    assert "--reason" in refused
    for _ in range(2):
        await treaty(shop, "quarantine", "discard", INVENTORY, rows[0]["id"], "--reason", "not a message at all")
    await shop.eventually(lambda: _reserved(shop, 7))
    assert await shop.eventually(lambda: _when(listed(shop), 0)) is not None
    known = await shop.stores[INVENTORY].quarantine.get(rows[0]["id"])
    assert known is not None
    assert known.discarded == "not a message at all"


async def test_a_command_for_what_is_not_there_says_so(shop: Town) -> None:
    code, output = await treaty(shop, "quarantine", "retry", INVENTORY, "nothing", "--reason", "why not")
    assert code == 2
    assert "no message nothing" in output
    code, output = await treaty(shop, "quarantine", "release", INVENTORY, "--type", "OrderPlaced", "--reason", "x")
    assert code == 2
    assert "no message in the quarantine" in output
    code, output = await treaty(shop, "quarantine", "list", INVENTORY, "--older-than", "soon")
    assert code == 2
    assert "is no age" in output
    code, output = await treaty(shop, "quarantine", "list", "commerce.nowhere")
    assert code == 2
    assert "there is no context commerce.nowhere" in output


async def test_an_edited_message_takes_effect_and_its_history_stays(shop: Town, tmp_path: Path) -> None:
    order = Order(new_id(), {"LAMP": 3})
    good = placed(order, 1)
    for envelope in (replace(good, body=b"\xff\xff not a message"), placed(Order(order.id, {"LAMP": 1}), 2)):
        await shop.broker.publish(exchange_of("commerce.ordering"), envelope)
    [poison, _] = await shop.eventually(lambda: _when(listed(shop), 2))
    assert poison["waits_for_deploy"]

    mended, broken = tmp_path / "mended", tmp_path / "broken"
    mended.write_bytes(good.body)
    broken.write_bytes(b"\xff\xff")
    edit = ("quarantine", "edit", INVENTORY, poison["id"], "--reason", "a bug of the sender", "--by", "ann")
    code, output = await treaty(shop, *edit, "--body", str(broken))
    assert code == 2
    assert "the body is no commerce.ordering.v1.OrderPlaced" in output
    code, output = await treaty(shop, *edit, "--body", str(mended))
    assert code == 0, output
    await shop.eventually(lambda: _when(listed(shop), 0))
    await shop.eventually(lambda: _reserved(shop, 3))

    _, output = await treaty(shop, "quarantine", "history", INVENTORY, "--json")
    [entry] = json.loads(output)
    assert (entry["action"], entry["by"], entry["outcome"]) == ("edit", "ann", "took effect")
    assert bytes.fromhex(entry["before"]) == b"\xff\xff not a message"


async def _reserved(shop: Town, pieces: int) -> bool:
    return (await shop.item("LAMP")).reserved == pieces


async def _when(rows: Any, count: int) -> list[dict[str, Any]] | tuple[()] | None:
    found = await rows
    if len(found) != count:
        return None
    return found or [{}]
