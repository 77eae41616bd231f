"""`scripts/up`, as a newcomer runs it: in a checkout of its own, with databases and a virtual host of its own."""

import asyncio
import re
import signal
from pathlib import Path

import pytest

from tests.scripts.up.process import left, up

pytestmark = [pytest.mark.infra, pytest.mark.slow]

CONTEXTS = ("commerce.catalog", "commerce.inventory", "commerce.ordering", "commerce.payments", "commerce.shipping")


async def test_the_printed_call_works_its_events_show_a_change_restarts_and_ctrl_c_ends_all(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with up(tmp_path, environ, *CONTEXTS) as running:
        await running.until(lambda: "ready:" in running.said and "change " in running.said)
        assert all(len(line) <= 80 for line in running.said.splitlines()), running.said

        code, output, messages = await running.shell(running.printed_call())
        assert code == 0, messages
        order = re.search(r'"order_id": "([0-9a-f-]+)"', output)
        assert order, output
        await running.until(lambda: re.search(rf"OrderPlaced +{order[1][:8]}", running.said))
        await running.until(lambda: re.search(rf"OrderConfirmed +{order[1][:8]}", running.said))

        trace = re.search(r"^trace +(\w+)$", messages, re.MULTILINE)
        assert trace, messages
        await running.until(lambda: f"cat .dev/up/traces/{trace[1][:8]}\n" in running.said)
        code, tree, _ = await running.shell(f"cat .dev/up/traces/{trace[1][:8]}")
        assert (code, "OrderingService/PlaceOrder" in tree, "process OrderPlaced" in tree) == (0, True, True), tree

        changed = tmp_path / "services/commerce/catalog/publishing.py"
        good = changed.read_text()
        changed.write_text(good + "\nthis is no Python\n")
        await running.until(lambda: "catalog       starts again" in running.said)
        await running.until(lambda: "SyntaxError" in running.said)
        changed.write_text(good)
        await running.until(lambda: "catalog       is ready again" in running.said)
        assert "ordering      starts again" not in running.said

        second = await asyncio.create_subprocess_exec(
            tmp_path / "scripts/up", env=running.environ, stderr=asyncio.subprocess.PIPE
        )
        _, complaint = await second.communicate()
        assert (second.returncode, "runs in this checkout already" in complaint.decode()) == (2, True)

        assert len(left(environ)) > len(CONTEXTS)
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await running.process.wait() == 0
        assert left(environ) == []
        assert not (tmp_path / ".dev/up/env").exists()


async def test_a_context_that_cannot_start_says_why_and_the_others_run(tmp_path: Path, environ: dict[str, str]) -> None:
    async with up(tmp_path, environ, "commerce.catalog", "commerce.inventory") as running:
        broken = tmp_path / "services/commerce/inventory/storage.py"
        await running.until(lambda: "starting 2 contexts" in running.said)
        broken.write_text("this is no Python\n")
        await running.until(lambda: "change " in running.said)
        assert "inventory     has ended with code 1: SyntaxError" in running.said
        assert "ready: 1 context." in running.said
        assert "./treaty call commerce.catalog" in running.said


async def test_an_early_ctrl_c_ends_all(tmp_path: Path, environ: dict[str, str]) -> None:
    async with up(tmp_path, environ) as running:
        await running.until(lambda: len(left(environ)) > 4)
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            assert await running.process.wait() == 0
        assert left(environ) == []


async def test_traffic_shows_events_and_a_name_that_is_none_is_answered(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with up(tmp_path / "wrong", environ, "commerce.nothing") as running:
        assert await running.process.wait() == 2
    assert "there is no domain or context commerce.nothing; there are commerce.catalog" in running.said
    async with up(tmp_path / "right", environ, *CONTEXTS, "--traffic", "--rate", "5", "--mix", "buy=1") as running:
        await running.until(lambda: running.said.count("OrderPlaced") >= 5)
        running.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await running.process.wait()
        assert left(environ) == []
