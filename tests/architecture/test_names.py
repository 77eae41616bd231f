"""Modules are things: none is named with a gerund; nouns of the business that end like one are listed."""

import re
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT

FOLDERS = ("libs/treaty", "services", "scripts", "tests")
NOUNS = {"drawing", "pending", "pricing", "processing", "publishing", "tracking", "wiring"}


def gerunds(root: Path) -> list[str]:
    modules = (path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    return sorted(
        path.relative_to(root).as_posix()
        for path in modules
        if re.search(r"(?<!str)ing$", path.stem) and path.stem.removeprefix("test_") not in NOUNS
    )


def test_no_module_is_named_with_a_gerund() -> None:
    assert gerunds(ROOT) == []


@pytest.mark.parametrize(
    ("name", "found"), [("watching.py", True), ("test_quarantining.py", True), ("pricing.py", False)]
)
def test_a_planted_gerund_is_found(tmp_path: Path, name: str, found: bool) -> None:
    path = tmp_path / "libs/treaty" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert gerunds(tmp_path) == ([f"libs/treaty/{name}"] if found else [])
