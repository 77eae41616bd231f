"""The demo, as a newcomer runs it."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from treaty.testing.eventually import eventually

from scripts.lib.paths import ROOT

pytestmark = pytest.mark.slow


BALANCED = {
    "orders": 115,
    "contexts": 7,
    "refused": 1,
    "stock_balanced": True,
    "money_balanced": True,
    "messages_balanced": True,
    "bad_rows": 4,
    "outbox": 0,
    "queued": 0,
    "quarantined": 0,
}


async def demo(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "demo",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TREATY_DEMO_RUN": str(os.getpid())},
    )


def still_running() -> list[psutil.Process]:
    """Returns the processes that a demo of this test run left behind."""
    return [one for one in psutil.process_iter() if _is_ours(one)]


def _is_ours(one: psutil.Process) -> bool:
    try:
        return one.status() != psutil.STATUS_ZOMBIE and one.environ().get("TREATY_DEMO_RUN") == str(os.getpid())
    except psutil.Error:
        return False


async def finished(running: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(180):
        output, _ = await running.communicate()
    return running.returncode, output.decode()


def figures(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


async def balances(*arguments: str) -> None:
    code, output = await finished(await demo(*arguments, "--once", "--json"))
    assert code == 0, output
    found = figures(output)
    assert {name: found[name] for name in BALANCED} == BALANCED
    assert found["trace_services"] >= 6, "the client and what an order moves are in one trace"
    assert found["delivered"] + found["cancelled"] + found["refused"] == found["orders"]
    assert found["delivered"] > 100
    assert found["cancelled"] > 0
    assert found["returns"] > 0
    assert found["promotions"] > 0
    assert found["mails"] > 4 * found["delivered"]
    assert found["trace_spans"] > 20
    assert found["commands_per_s"] > 0
    assert 0 < found["effect_ms_p50"] <= found["effect_ms_p99"]
    assert not still_running()


async def test_the_embedded_demo_balances_and_leaves_nothing_running() -> None:
    await balances("--embedded")


@pytest.mark.infra
async def test_the_demo_balances_and_leaves_nothing_running() -> None:
    await balances()


@pytest.mark.infra
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_demo_that_is_ended_leaves_nothing_running(number: signal.Signals) -> None:
    running = await demo("--once")
    await eventually(lambda: len(still_running()) >= 4, within=60)
    running.send_signal(number)
    await finished(running)
    await eventually(lambda: not still_running(), within=30)


async def test_a_file_that_is_no_list_of_invoices_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("a,b\n1,2\n")
    code, output = await finished(await demo("--embedded", "--orders", str(file)))
    assert code == 2
    assert "lacks the columns InvoiceNo" in output.replace("\n", " ")
