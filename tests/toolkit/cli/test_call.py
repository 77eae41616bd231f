"""`treaty call`, as somebody types it, against contexts in this process."""

import asyncio
import json
import sys
import uuid

import pytest
from treaty.probes import NoProbe

from scripts.lib.demo.places import CONTEXTS, embedded

pytestmark = pytest.mark.slow


async def call(*arguments: str) -> tuple[int | None, str, str]:
    """Runs the command, and returns its exit code, its output and its messages."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "treaty.cli", "call", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, messages = await running.communicate()
    return running.returncode, output.decode(), messages.decode()


async def test_a_call_prints_the_answer_and_a_wrong_one_says_what_is_wrong() -> None:
    sku = f"CUP-{uuid.uuid4().hex[:6]}"
    item = json.dumps({"sku": sku, "description": "Cup"})
    async with embedded(dict.fromkeys(CONTEXTS, NoProbe())) as place:
        at = ("--at", place.addresses["commerce.inventory"])
        code, output, messages = await call("commerce.inventory", "RegisterItem", item, *at)
        assert (code, json.loads(output)["item"]["sku"]) == (0, sku)
        assert [line.split()[0] for line in messages.splitlines()] == ["request_id", "trace"]

        code, _, messages = await call("commerce.inventory", "RegisterItem", item, *at)
        assert code == 2
        assert "answered FAILED_PRECONDITION" in messages

        code, _, messages = await call("commerce.inventory", "RegisterItem", '{"article": 1}', *at)
        assert code == 2
        assert "is not a RegisterItemRequest" in messages
        assert "its fields are request_id, warehouse, sku" in messages

        code, _, messages = await call("commerce.inventory", "Burn", *at)
        assert (code, "commerce.inventory has no method Burn; there are AdjustStock" in messages) == (2, True)

        code, output, _ = await call("commerce.inventory", *at)
        assert (code, "RegisterItem" in output.split()) == (0, True)


async def test_a_context_that_does_not_run_is_named() -> None:
    code, _, messages = await call("commerce.inventory", "ListStock", "--at", "127.0.0.1:1", "--seconds", "0.5")
    assert code == 2
    assert "treaty: nothing answers at 127.0.0.1:1: start commerce.inventory" in messages
