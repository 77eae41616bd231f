"""Wall clock, chance and identity come only through the ports, and that a violation is noticed."""

import pytest

from tests.architecture.conftest import Tree

PLANTED = [
    "from datetime import datetime, UTC\nNOW = datetime.now(UTC)",
    "import datetime\nNOW = datetime.datetime.utcnow()",
    "import datetime\nTODAY = datetime.date.today()",
    "import time\nNOW = time.time()",
    "from time import time as now\nNOW = now()",
    "import uuid\nID = uuid.uuid4()",
    "from uuid import uuid1\nID = uuid1()",
    "import random",
    "from random import choice",
    "import secrets",
    "import os\nSALT = os.urandom(8)",
]
PLACES = ["libs/treaty/followers/relay.py", "services/commerce/ordering/domain.py"]


def _found(tree: Tree, *paths: str) -> str:
    return tree.run(["ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise", *paths]).stdout


def test_nothing_asks_the_outside_world_directly(here: Tree) -> None:
    assert "TID251" not in _found(here, "libs/treaty", "services")


@pytest.mark.parametrize("lines", PLANTED)
@pytest.mark.parametrize("place", PLACES)
def test_a_planted_question_to_the_outside_world_is_found(tree: Tree, place: str, lines: str) -> None:
    tree.plant(place, lines)
    assert f"{place}:" in _found(tree, "libs/treaty", "services")


@pytest.mark.parametrize("port", ["clock.py", "chance.py"])
def test_the_ports_may_ask(tree: Tree, port: str) -> None:
    for lines in PLANTED:
        tree.plant(f"libs/treaty/{port}", lines)
    assert port not in _found(tree, "libs/treaty", "services")
