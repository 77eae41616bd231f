"""The repository that a command works in: where its contexts, protos and generated modules lie."""

import os
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from treaty.service.contexts import SERVICES

INCLUDE = Path(__file__).parents[1] / "include"
"""The folder of protos that contracts may import."""


class Misconfigured(Exception):
    """The table [tool.treaty] of pyproject.toml cannot be used; the message gives the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository.

    Attributes:
        root: its folder.
        services: the package in which the contexts are: `<services>.<domain>.<context>`.
        protos: the folder of the contracts.
        contracts: the folder of the Python modules that are generated from them.
        shapes: the folder that has, for each context, a file with everything that it stores.
    """

    root: Path
    services: str = "services"
    protos: str = "protos"
    contracts: str = "contracts"
    shapes: str = "tests/golden"

    @property
    def home(self) -> str:
        """The folder of the package of the contexts, relative to the root."""
        return self.services.replace(".", "/")

    def enter(self) -> None:
        """Makes the contexts and the generated modules importable for this process and those that it starts."""
        os.environ.setdefault(SERVICES, self.services)
        for folder in (self.root / self.contracts, self.root):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))


def find_project(start: Path | None = None) -> Project:
    """Returns the project of a folder: the nearest one above it whose pyproject.toml has a table [tool.treaty].

    Without one it is the folder itself, with the usual names. The folder is the current one by default.

    Raises:
        Misconfigured: if the table has a key or a value that means nothing.
    """
    start = start or Path.cwd()
    for folder in (start, *start.parents):
        table = _table(folder / "pyproject.toml")
        if table is not None:
            return _project(folder, table)
    return Project(root=start)


def _table(path: Path) -> object:
    if not path.is_file():
        return None
    try:
        return tomllib.loads(path.read_text()).get("tool", {}).get("treaty")
    except (OSError, ValueError):
        return None  # its own tools say what is wrong with it


def _project(root: Path, table: object) -> Project:
    known = [field.name for field in fields(Project) if field.name != "root"]
    if not isinstance(table, dict):
        raise Misconfigured(f"{root}/pyproject.toml: [tool.treaty] must be a table")
    for key, value in table.items():
        if key not in known:
            raise Misconfigured(f"{root}/pyproject.toml: [tool.treaty] has no key {key}; there are {', '.join(known)}")
        if not isinstance(value, str) or not value or Path(value).is_absolute() or ".." in Path(value).parts:
            raise Misconfigured(f"{root}/pyproject.toml: {key} in [tool.treaty] must be a path inside the repository")
    return Project(root=root, **table)
