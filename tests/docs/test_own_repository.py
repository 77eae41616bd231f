"""The how-to for a repository of one's own: its commands in an empty folder, without this checkout on the path."""

import asyncio
import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.paths import ROOT
from scripts.lib.virtual_hosts import virtual_host
from tests.docs.markdown import blocks
from tests.docs.test_docs import IN_AN_EMPTY_FOLDER as PAGE

pytestmark = [pytest.mark.infra, pytest.mark.slow]

PATIENCE = 120.0


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The servers, with a database and a virtual host of their own, as `scripts/dev env` would give them."""
    prefix = f"own{uuid.uuid4().hex[:8]}"
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        try:
            yield {**own, "MONGODB_URI": own["MONGODB_URI"].replace("/?", f"/{prefix}?")}
        finally:
            asyncio.run(_drop(own["MONGODB_URI"], f"{prefix}_library_lending"))


async def _drop(uri: str, database: str) -> None:
    async with temporary(uri, [database]):
        pass


@contextlib.contextmanager
def running(command: str, folder: Path, environ: dict[str, str], port: int) -> Iterator[None]:
    """Runs a context until the block ends; the block begins when its port is open."""
    with (folder / "run.log").open("w") as log:
        process = subprocess.Popen(
            shlex.split(command), cwd=folder, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_open(port):
            assert process.poll() is None, (folder / "run.log").read_text()
            assert time.monotonic() < deadline, (folder / "run.log").read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0, (folder / "run.log").read_text()


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_context_is_written_tested_run_and_called_in_an_empty_folder(tmp_path: Path, servers: dict[str, str]) -> None:
    folder, port = tmp_path / "agency", _free_port()
    folder.mkdir()
    path = os.pathsep.join([str(folder / ".venv/bin"), *_path_without_this_checkout()])
    environ = {"PATH": path, "HOME": os.environ.get("HOME", str(tmp_path)), "treaty": str(ROOT), "GRPC_PORT": str(port)}
    environ |= {name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ}

    def must(script: str, **more: str) -> str:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert run.returncode == 0, f"{script}\n{run.stdout}{run.stderr}"
        return run.stdout

    scripts = [block.text for block in blocks(PAGE) if block.language == "bash"]
    begun = scripts.index(next(text for text in scripts if text.startswith("treaty run")))
    said = [must(text) for text in scripts[:begun] if "scripts/dev" not in text]
    assert "library.lending is written" in said[1]
    assert " passed" in said[2]
    assert "1 context can be built" in said[2]
    assert must("python -c 'import treaty; print(treaty.__file__)'").startswith(str(folder / ".venv"))
    with running(scripts[begun].strip(), folder, {**environ, **servers}, port):
        [calls] = scripts[begun + 1 :]
        assert "Middlemarch" in must(calls.replace("50051", str(port)))


def _path_without_this_checkout() -> list[str]:
    """Returns the folders of commands, without those of this checkout and of its virtual environment."""
    ours = (str(ROOT), sys.prefix)
    base = str(Path(sys.base_prefix) / "bin")
    return [base, *(folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.startswith(ours))]
