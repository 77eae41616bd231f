"""A copy of the tree to plant violations in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT


@dataclass(frozen=True)
class Tree:
    """A checkout, with the tools of this one."""

    root: Path

    def plant(self, path: str, line: str) -> None:
        """Adds a line to a module, or makes the module."""
        module = self.root / path
        module.parent.mkdir(parents=True, exist_ok=True)
        before = module.read_text() if module.exists() else '"""Planted."""\n'
        module.write_text(f"{before}\n{line}\n")

    def run(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Runs a tool that sees this tree before any other."""
        paths = [str(self.root / folder) for folder in ("", "libs", "libs/contracts")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        tool = str(Path(sys.executable).with_name(command[0]))
        return subprocess.run([tool, *command[1:]], cwd=self.root, env=env, capture_output=True, text=True, check=False)


def _copied(root: Path) -> Tree:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("libs/treaty", "services"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    return Tree(root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return _copied(tmp_path)


@pytest.fixture
def here() -> Tree:
    return Tree(ROOT)
