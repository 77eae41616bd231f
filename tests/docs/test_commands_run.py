"""Every command in a `console` block of a page is run as printed in a plain shell, or the reason why not is here.

The commands run on servers where no context has worked yet.
"""

import asyncio
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence

import pytest
from treaty.service.contexts import find_contexts

from scripts.lib import dev
from scripts.lib.databases import temporary
from scripts.lib.paths import ROOT
from scripts.lib.virtual_hosts import virtual_host
from tests.docs.markdown import PAGES, TUTORIAL, blocks

pytestmark = [pytest.mark.infra, pytest.mark.slow]

NOT_RUN = {
    "./scripts/prove": "takes minutes to hours; tests/scripts/prove runs its parts",
    "./scripts/bench": "takes minutes; tests/scripts/bench runs it for a moment",
    "./scripts/up": "does not end by itself; tests/scripts/up runs it",
    "./scripts/test": "would run this test",
    "./scripts/check": "CI runs it",
    "./treaty call": "needs running contexts; tests/scripts/up runs it",
    "./treaty traces": "does not end by itself; tests/toolkit/telemetry runs it",
    "./treaty replay start": "waits for a running consumer; tests/real/test_replay.py runs it",
    "kubectl": "needs a cluster",
    "tilt": "needs a cluster",
    "kind": "needs a cluster",
    "docker": "needs Docker",
    "npm install": "tests/scripts/up runs it",
    "AMQP_URL=": "does not end by itself; tests/scripts/up runs it",
    "ORDERING=": "needs running contexts; tests/scripts/up runs it",
    "grpcurl": "is not ours; ./treaty call makes the same call",
}
"""By the beginning of a command, the reason why it is not run here."""

ABOUT_A_THING = ("6f96", "7f3c0d9e", "./treaty quarantine release")
"""What is in a command about a thing that is not there. Such a command may say so in a sentence."""

CONSOLE = sorted(
    {
        command.split("  #")[0].strip()
        for page in PAGES
        if page not in TUTORIAL
        for block in blocks(page)
        if block.language == "console"
        for command in block.commands
    }
)
RUN = [command for command in CONSOLE if not command.startswith(tuple(NOT_RUN))]


def plain(command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command in a shell that knows nothing of this checkout."""
    shell = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env={**shell, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The servers, with databases and a virtual host of their own."""
    prefix = f"docs{uuid.uuid4().hex[:8]}"
    with dev.borrow() as uris, virtual_host(dict(uris)) as own:
        try:
            yield {**own, "MONGODB_URI": own["MONGODB_URI"].replace("/?", f"/{prefix}?")}
        finally:
            asyncio.run(_drop(own["MONGODB_URI"], [f"{prefix}_{name.replace('.', '_')}" for name in find_contexts()]))


async def _drop(uri: str, databases: Sequence[str]) -> None:
    async with temporary(uri, databases):
        pass


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_a_page_runs_as_it_is_printed(command: str, servers: dict[str, str]) -> None:
    run = plain(command, **servers)
    if any(thing in command for thing in ABOUT_A_THING):
        assert run.returncode in (0, 2), run.stderr
        assert run.returncode == 0 or run.stderr.startswith("treaty: "), run.stderr
    else:
        assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_a_reason_belongs_to_a_command_of_a_page(beginning: str) -> None:
    assert any(command.startswith(beginning) for command in CONSOLE), f"no page prints {beginning} any more"


def test_the_command_line_finds_the_servers_of_this_checkout() -> None:
    """In a shell without MONGODB_URI, while the servers run."""
    if os.environ.get("MONGODB_URI") and not dev.env_file().exists():
        pytest.skip("the servers are not those of this checkout")
    with dev.borrow():
        run = plain("./treaty outbox commerce.catalog")
    assert (run.returncode, run.stderr) == (0, "")
    assert "commerce.catalog" in run.stdout
