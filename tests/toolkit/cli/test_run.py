"""`treaty run` and `treaty contexts`, as somebody types them."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest
from treaty.service.contexts import find_contexts

from tests.checkouts import copy_checkout

AWAY = {
    "MONGODB_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200",
    "AMQP_URL": "amqp://127.0.0.1:1/",
    "GRPC_PORT": "0",
    "LOG_LEVEL": "error",
}


async def treaty(*arguments: str, **environ: str) -> tuple[int | None, str]:
    """Runs the command, and returns its exit code and all it printed."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "treaty.cli", *arguments),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await running.communicate()
    return running.returncode, output.decode()


@pytest.mark.slow
async def test_contexts_are_found() -> None:
    code, output = await treaty("contexts")
    assert code == 0
    assert output.split() == find_contexts()
    assert {"commerce.catalog", "commerce.ordering"} <= set(output.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "environ", "code", "sentence"),
    [
        ("commerce.nowhere", AWAY, 2, "there is no context commerce.nowhere"),
        ("commerce.inventory", {**AWAY, "MONGODB_URI": ""}, 2, "MONGODB_URI must be set"),
        ("commerce.inventory", {**AWAY, "MONGODB_URI": "mongodb://u:p@ss@h"}, 2, "MONGODB_URI is not an address"),
        ("commerce.inventory", {**AWAY, "AMQP_URL": "http://h"}, 2, "AMQP_URL is not an address"),
        ("commerce.inventory", {**AWAY, "AMQP_URL": "amqp://h:x/"}, 2, "AMQP_URL is not an address"),
        ("commerce.inventory", {**AWAY, "TREATY_PARTITIONS": "0"}, 2, "TREATY_PARTITIONS"),
        ("commerce.inventory", AWAY, 1, "the store cannot be used"),
    ],
)
async def test_a_process_that_cannot_run_says_why_in_a_sentence(
    name: str, environ: dict[str, str], code: int, sentence: str
) -> None:
    exit_code, output = await treaty("run", name, **environ)
    assert exit_code == code
    assert f"treaty: {sentence}" in output
    assert "Traceback" not in output
    assert len(output) < 400


@pytest.mark.slow
async def test_a_port_that_somebody_else_has_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {**AWAY, "GRPC_HOST": "127.0.0.1", "GRPC_PORT": port}
        code, output = await treaty("run", "commerce.inventory", **environ)
    assert code == 2
    assert f"treaty: GRPC_PORT {port} cannot be opened" in output
    assert "Traceback" not in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("service.py", 'name="commerce.catalog"', 'name="commerce.katalog"', 'write name="commerce.catalog" there'),
        ("service.py", "events.PriceChanged, ", "", "add PriceChanged to `publishes`"),
        (
            "storage.py",
            '        Shape("product-discontinued", events.ProductDiscontinued),\n',
            "",
            'add Shape("product-discontinued", ProductDiscontinued) to the events of Stored("product", …)',
        ),
    ],
)
def test_a_wiring_mistake_is_one_sentence_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, sentence: str
) -> None:
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    checkout = copy_checkout(tmp_path)
    module = checkout.root / "services/commerce/catalog" / file
    text = module.read_text()
    assert text.count(old) == 1
    module.write_text(text.replace(old, new))
    run = checkout.run(sys.executable, "-m", "treaty.cli", "run", "commerce.catalog")
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("treaty: ")
    assert sentence in last
