"""The commands for operators on the real servers: what waits, who does what, and what happened to a stream."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.town import Order, Town, new_id, town

pytestmark = pytest.mark.slow

INVENTORY, ORDERING = "commerce.inventory", "commerce.ordering"
LAMP = "stock-main/LAMP"


@pytest.fixture
async def shop(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Town]:
    async with town(servers, tmp_path) as running:
        await running.stock("LAMP", 100)
        yield running


async def treaty(shop: Town, *arguments: str) -> tuple[int, str]:
    """Runs the command, and returns its exit code and all it printed."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "treaty.cli", *arguments),
        env={**shop.environ, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await running.communicate()
    return running.returncode or 0, output.decode()


async def asked(shop: Town, *arguments: str) -> Any:
    code, output = await treaty(shop, *arguments, "--json")
    assert code == 0, output
    return json.loads(output)


async def test_a_stream_tells_its_history_and_its_state_then(shop: Town) -> None:
    commits = await asked(shop, "streams", "show", INVENTORY, LAMP)
    assert [commit["version"] for commit in commits] == list(range(1, len(commits) + 1))
    received = commits[-1]
    assert received["events"][0]["data"]["quantity"] == 100
    for arguments, on_hand in ((["--version", "1"], 0), (["--moment", received["committed"]], 100)):
        found = await asked(shop, "streams", "at", INVENTORY, LAMP, *arguments)
        assert found["state"]["on_hand"] == on_hand
    assert [row["stream"] for row in await asked(shop, "streams", "list", INVENTORY, "--prefix", "stock-")] == [LAMP]
    code, output = await treaty(shop, "streams", "show", INVENTORY, LAMP)
    assert code == 0
    assert "ReceiveStock/" in output
    assert "on_hand: 100" in output


async def test_the_outbox_empties_and_says_so(shop: Town) -> None:
    async def is_empty() -> bool:
        return bool((await asked(shop, "outbox", INVENTORY))[INVENTORY]["events"] == 0)

    await shop.eventually(is_empty)
    code, output = await treaty(shop, "outbox", INVENTORY)
    assert (code, INVENTORY in output) == (0, True)


async def test_followers_name_the_process_that_does_the_work(shop: Town) -> None:
    async def settled() -> Any:
        found = (await asked(shop, "followers", INVENTORY))[INVENTORY]
        working = all(row["owner"] != "nobody" for row in found["leases"])
        return found if working and not any(row["behind"] for row in found["followers"]) else None

    found = await shop.eventually(settled)
    assert [row["lease"] for row in found["leases"]] == ["followers", "p0", "p1", "p2", "p3"]
    assert {row["owner"].split("/")[1] for row in found["leases"]} == {str(shop._pids[INVENTORY])}
    assert {row["oldest_seconds"] for row in found["followers"]} == {None}


async def test_a_timer_and_a_call_that_cannot_be_made_are_pending(shop: Town) -> None:
    await shop.kill("commerce.payments")
    await shop.place(Order(new_id(), {"LAMP": 1}))

    async def waits() -> Any:
        rows = await asked(shop, "pending", ORDERING)
        return rows if any(row["what"] == "timer" for row in rows) else None

    rows = await shop.eventually(waits)
    assert all(row["context"] == ORDERING and row["type"] for row in rows)
    assert (await treaty(shop, "pending", ORDERING))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["streams", "show", INVENTORY, "stock-nothing"], "has no stream stock-nothing"),
        (["streams", "at", INVENTORY, LAMP], "use either --version or --moment"),
        (["streams", "at", INVENTORY, LAMP, "--version", "77"], "in version 77"),
        (["streams", "at", INVENTORY, LAMP, "--moment", "yesterday"], "'yesterday' is not a moment"),
        (["outbox", "commerce.nowhere"], "there is no context commerce.nowhere"),
        (["followers", "commerce.nowhere"], "there is no context commerce.nowhere"),
        (["pending", "commerce.nowhere"], "there is no context commerce.nowhere"),
    ],
)
async def test_bad_input_gets_a_sentence(
    servers: dict[str, str], tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    shop = Town({**servers, "PATH": ""}, tmp_path, {}, None, None, {})  # type: ignore[arg-type]  # nothing runs
    code, output = await treaty(shop, *arguments)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output
