"""What the pages of the promises name exists: every test, every planted bug, every fault and every crash point."""

import re
from pathlib import Path

import pytest
from treaty.process.crashes import PLACES
from treaty.testing.simulation.nemesis import Nemesis

from scripts.lib.paths import ROOT
from scripts.lib.prove.faults import Faults
from scripts.lib.prove.plants import PLANTS

PAGES = sorted((ROOT / "docs" / "promises").glob("[0-9]*.md"))

_QUOTED = re.compile(r"`([a-z_.]+)`")


def _tests() -> set[str]:
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "libs" / "treaty" / "testing" / "suites").glob("*.py")]
    return {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text())}


def test_there_is_a_page_for_each_of_the_thirteen_promises_and_the_index_lists_it() -> None:
    assert [path.name[:2] for path in PAGES] == [f"{n:02d}" for n in range(1, 14)]
    index = (ROOT / "docs" / "promises" / "README.md").read_text()
    assert [path.name for path in PAGES if f"]({path.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert len(named) >= 3
    assert named - _tests() == set()


def test_every_fault_bug_and_place_that_a_page_names_exists() -> None:
    known = {*PLANTS, *PLACES, *_methods(Faults), *_methods(Nemesis), "treaty.saga.stuck"}
    named = {word for page in PAGES for word in _QUOTED.findall(page.read_text()) if re.search("[._]", word)}
    assert {word for word in named if not word.startswith("test_")} - known == set()


def test_every_planted_bug_is_named_by_a_promise() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert {name for name in PLANTS if f"`{name}`" not in text} == set()


def _methods(kind: type) -> set[str]:
    return {name.removeprefix("_") for name in vars(kind)}
