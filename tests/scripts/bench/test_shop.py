"""The benchmark of the shop carries every order to its end, and tells what each process used for it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from scripts.lib.bench import shop
from scripts.lib.bench.used import Used
from scripts.lib.demo.places import CONTEXTS
from scripts.lib.paths import ROOT

FIGURES = {
    "orders_per_s",
    "cpu_ms_per_order",
    "cpu_ms_per_order_by_hand",
    "store_ops_per_order",
    "placed_ms",
    "confirmed_ms",
    "delivered_ms",
    "commits_per_order",
    "events_per_order",
}

_SHORT = """
import asyncio, json, os, sys
from pathlib import Path
from scripts.lib import dev
from scripts.lib.bench import shop
with dev.borrow() as uris:
    plan = shop.Plan(alone=2, orders=6, at_once=3, rounds=1)
    print(json.dumps(asyncio.run(shop.measure(plan, {**os.environ, **uris}, Path(sys.argv[1])))))
"""


@pytest.mark.infra
@pytest.mark.slow
async def test_a_few_orders_are_delivered_and_their_cost_is_told_by_process(tmp_path: Path) -> None:
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _SHORT, tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(1500):
        output, _ = await running.communicate()
    assert running.returncode == 0
    found = json.loads(output.splitlines()[-1])
    assert all(found[name] > 0 for name in FIGURES)
    assert found["placed_ms"] < found["confirmed_ms"] < found["delivered_ms"]
    assert found["commits_per_order"] > 30
    assert {f"cpu_ms_{name.rpartition('.')[2]}" for name in (*CONTEXTS, "mongodb", "rabbitmq")} <= set(found)
    by_process = sum(found[name] for name in found if name.startswith("cpu_ms_") and "order_by_hand" not in name)
    assert by_process - found["cpu_ms_per_order"] == pytest.approx(found["cpu_ms_per_order"], rel=0.01)


def test_what_was_used_is_told_for_each_process() -> None:
    assert Used(a=3.0, b=1.5) - Used(a=1.0, b=1.5) == {"a": 2.0, "b": 0.0}


def test_the_products_and_the_customers_are_enough_for_all_orders() -> None:
    invoices = shop._invoices()
    assert len(invoices.prices) == len(invoices.descriptions) > 2
    assert len({invoice.customer for invoice in invoices.invoices}) == len(invoices.invoices)
