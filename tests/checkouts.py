"""A copy of the whole checkout, to write new contexts into."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.paths import ROOT

_COPIED = ("libs", "services", "protos", "scripts", "tests", "docs", "k8s", "examples")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy, with the tools of this checkout."""

    root: Path

    def run(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        """Runs a tool that sees this copy before any other."""
        tools = Path(sys.executable).parent
        paths = [str(self.root / folder) for folder in ("", "libs", "libs/contracts")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)

    def must(self, *command: str | Path) -> str:
        """Runs a tool that has to end well, and returns what it said."""
        run = self.run(*command)
        assert run.returncode == 0, f"{' '.join(map(str, command))} failed:\n{run.stdout}{run.stderr}"
        return run.stdout

    def files(self) -> dict[str, bytes]:
        """Returns what every file holds, by path; but not what tools leave behind."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for folder in _COPIED
            for path in (self.root / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


def copy_checkout(target: Path) -> Checkout:
    """Copies the sources, with links to what is installed beside them; its scripts find all they need."""
    for folder in _COPIED:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, target)
    _link(ROOT / ".tools", target / ".tools")
    _link(Path(sys.prefix), target / ".venv")
    checkout = Checkout(target)
    stamp = 'root="$PWD"; source scripts/lib/bootstrap.sh; wanted_stamp >.venv/bootstrap.stamp; is_fresh'
    checkout.must("bash", "-euc", stamp)
    return checkout


def _link(source: Path, target: Path) -> None:
    """Makes a folder of links, so that nothing that is done to the folder reaches the source."""
    target.mkdir()
    for path in source.iterdir() if source.exists() else ():
        if path.name != "bootstrap.stamp":
            (target / path.name).symlink_to(path)
