"""--help of every script answers before there is a virtual environment, changes nothing, and names every option."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK))
MODULES = {
    name: [*(ROOT / f"scripts/lib/{name.replace('-', '_')}").glob("*.py"), ROOT / f"scripts/lib/{name}.py"]
    for name in SCRIPTS
} | {"new-service": [ROOT / "libs/treaty/cli/new/command.py"]}
ENVIRON = {"PATH": "/usr/bin:/bin"}
OPTION = re.compile(
    r"""add_argument\("(--[a-z-]+)"|typer\.Option\("(--[a-z-]+)(?:/(--[a-z-]+))?"|^FAST = "(--fast)\"""", re.MULTILINE
)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout in which nothing was ever run, and a machine on which nothing but a shell is installed."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _help(checkout: Path, typed: str, *arguments: str) -> str:
    run = subprocess.run([typed, *arguments], cwd=checkout, env=ENVIRON, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_every_script_is_tried() -> None:
    assert {"bench", "check", "demo", "dev", "new-service", "prove", "protos", "test"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("asking", ["--help", "-h"])
def test_help_needs_no_environment_and_changes_nothing(bare: Path, name: str, asking: str) -> None:
    before = sorted(bare.rglob("*"))
    said = _help(bare, f"scripts/{name}", asking)
    assert said.startswith(f"Usage: scripts/{name}")
    assert sorted(bare.rglob("*")) == before
    assert all(len(line) <= 80 for line in said.splitlines())


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_the_command_as_it_was_typed(bare: Path, name: str) -> None:
    assert _help(bare / "scripts", f"./{name}", "--help").startswith(f"Usage: ./{name}")
    path = str(bare / "scripts" / name)
    assert _help(bare, path, "--help").startswith(f"Usage: {path}")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_found_through_links_odd_paths_and_with_cdpath(
    bare: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = bare / "a & b\\x41"
    odd.mkdir()
    (odd / "scripts").symlink_to(bare / "scripts")
    link = bare / "link"
    link.symlink_to(bare / "scripts" / name)
    monkeypatch.setitem(ENVIRON, "CDPATH", str(bare))
    for typed in (str(odd / "scripts" / name), str(link), f"scripts/{name}"):
        assert _help(bare, typed, "--help").startswith(f"Usage: {typed}")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_option(name: str) -> None:
    said = (ROOT / "scripts" / name).read_text()
    sources = [path.read_text() for path in MODULES[name] if path.exists()]
    doors = [
        source
        for source in sources
        if re.search(r"parser_of\(|typer\.Typer\(|typer\.Option\(|^FAST = ", source, re.MULTILINE)
    ]
    options = {option for source in doors for found in OPTION.findall(source) for option in found if option}
    assert {option for option in options if option not in said} == set()
    assert bool(options) == ("--" in said.partition("set -")[0])
