"""Changes of the code that make a known bug, and the copies of the code in which they are made."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.paths import ROOT

TOOLKIT = ROOT / "libs" / "treaty"
SERVICES = ROOT / "services"


class Missed(Exception):
    """The code has changed, so the text that the plant replaces is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Change:
    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug that an engineer could write.

    Attributes:
        why: the reason why it is a bug.
        changes: the changes, in files below `code`.
        simulated: whether the simulation finds it; otherwise the faults on the real stack do.
        code: the folder with the code: the toolkit, or the services.
        phases: the only phases that can find it; empty for all.
    """

    why: str
    changes: Sequence[Change]
    simulated: bool = True
    code: Path = TOOLKIT
    phases: Sequence[str] = ()


def planted(name: str, plant: Plant, folder: Path) -> Mapping[str, str]:
    """Copies the code into a folder, plants a bug in it, and returns the environment that makes Python use the copy.

    Raises:
        Missed: if the code does not have the text that a change replaces.
    """
    copy = folder / plant.code.name
    shutil.copytree(plant.code, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for change in plant.changes:
        path = copy / change.file
        text = path.read_text()
        if text.count(change.old) != 1:
            raise Missed(f"{name}: {change.file} has {text.count(change.old)} places, not one, with {change.old!r}")
        path.write_text(text.replace(change.old, change.new))
    # The copy is found before this checkout, also for a module that is started with `-m` from it.
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH", "")]), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
