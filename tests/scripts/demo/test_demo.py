"""The demo, as a newcomer runs it."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from treaty.testing.eventually import eventually

from scripts.lib.demo.invoices import COLUMNS
from scripts.lib.paths import ROOT
from tests.checkouts import copy_checkout

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
    *report, _ = output.splitlines()
    assert next(filter(None, report)).startswith("It adds up"), "the verdict comes first"
    assert len(report) <= 32
    assert [line for line in report if len(line) > 80] == []
    assert not re.search(r"\[(warning|error) ", output), "log lines go to a file"
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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "lacks the columns InvoiceNo"),
        (",".join(COLUMNS) + "\n", "has no rows below the names of its columns"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_before_anything_starts(
    tmp_path: Path, text: str, sentence: str
) -> None:
    checkout = copy_checkout(tmp_path)
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    run = await asyncio.to_thread(checkout.run, "scripts/demo", "--orders", str(file))
    assert run.returncode == 2, run.stderr
    assert sentence in run.stdout.replace("\n", " ")
    assert not (tmp_path / ".dev" / "mongodb").exists()


async def test_the_printed_call_of_a_demo_that_is_kept_works() -> None:
    running = await demo("--embedded", "--keep")
    assert running.stdout is not None
    output = ""
    async with asyncio.timeout(180):
        while not (call := re.search(r"^  (\./treaty call .*\n.*--at \S+)$", output, re.MULTILINE)):
            output += (await running.stdout.readline()).decode()
    asking = await asyncio.create_subprocess_shell(
        call[1], cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    answer, complaint = await asking.communicate()
    running.send_signal(signal.SIGINT)
    await finished(running)
    assert (asking.returncode, "orders" in json.loads(answer)) == (0, True), complaint
