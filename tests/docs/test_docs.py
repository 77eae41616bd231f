"""The documentation is true as far as a machine can tell: links, code, commands, settings, what follows from code."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from treaty.cli.app import app
from treaty.cli.context_map import services
from treaty.service.contexts import SERVICES
from treaty.settings import Settings
from typer.main import get_command

from scripts.lib.paths import ROOT
from scripts.lib.reference import pages
from tests.docs.markdown import PAGES, TUTORIAL, Block, blocks

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BLOCKS = [block for page in PAGES if page not in TUTORIAL for block in blocks(page)]
ELSEWHERE = {"tilt", "kubectl", "docker", "kind", "grpcurl", "npm", "node", "eval", "export", "cd"}
"""Commands of others, which are not ours to check."""

SETTINGS = ROOT / "docs/reference/settings.md"
_ROW = re.compile(r"^\| (`[A-Z].*?) \| (.*?) \| .* \|$", re.MULTILINE)


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    titles = HEADING.findall(_prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _broken(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    return not found.exists() or bool(anchor and found.suffix == ".md" and anchor not in _anchors(found))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [target for target in LINK.findall(_prose(page)) if not re.match(r"\w+:", target)]
    assert [target for target in links if _broken(page, target)] == []


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    assert _broken(ROOT / "README.md", "docs/unwritten.md")
    assert _broken(ROOT / "README.md", "docs/tutorial.md#unwritten")
    assert not _broken(ROOT / "README.md", "docs/tutorial.md#the-rules")


CODE_PATH = re.compile(r"`((?:libs|services|scripts|tests|protos|k8s|docs|examples)/[\w./-]*)`")
WRITTEN_BY_THE_READER = re.compile(r"(services|protos|tests/services|libs/contracts)/library/")
"""The tutorial's own files."""


def _missing_paths(text: str) -> list[str]:
    """Returns the paths in backticks that lead to nothing in this checkout."""
    paths = [path for path in CODE_PATH.findall(text) if not WRITTEN_BY_THE_READER.match(path)]
    return [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_in_backticks_is_there(page: Path) -> None:
    assert _missing_paths(_prose(page)) == []


def test_the_table_of_the_toolkit_has_every_package_in_the_order_of_the_floors() -> None:
    table = re.findall(r"^\| (`.*?) \|", (ROOT / pages.DRAWING).read_text(), re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == "floors"]
    floors = {name: -floor for floor, names in enumerate(layers) for name in re.findall(r"\w+", names)}
    found = [floors[name] for name in re.findall(r"`(\w+)`", " ".join(table))]
    assert found == sorted(floors.values())


def test_a_path_that_is_not_there_is_noticed() -> None:
    assert _missing_paths("see `libs/treaty/attic.py` and `libs/treaty`") == ["libs/treaty/attic.py"]


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "python" and not block.file] or [None], ids=str
)
def test_python_on_a_page_runs(block: Block | None) -> None:
    """Every block compiles; one that imports all it uses is run."""
    if block is None:
        pytest.skip("no page but the tutorial has Python")
    compile(block.text, str(block), "exec")
    if re.search(r"^(import|from) ", block.text, re.MULTILINE):
        run = subprocess.run([sys.executable, "-c", block.text], cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{block}: {run.stderr}"


def _words(command: str) -> list[str]:
    """What is called: without a comment, variables, and what stands behind `&&` or `|`."""
    words = re.split(r"\s#|&&|\|", command)[0].split()
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


def _unknown(command: str) -> str:
    """Says why nobody could run a command, or nothing."""
    first, *rest = _words(command)
    match first.removeprefix("./").removeprefix(".venv/bin/"):
        case "treaty" if first == "./treaty":
            return _unknown_to_treaty(rest)
        case "python" if rest[:1] == ["-m"]:
            return "" if importlib.util.find_spec(rest[1]) else f"there is no module {rest[1]}"
        case script if script.startswith("scripts/"):
            return "" if os.access(ROOT / script, os.X_OK) else f"there is no {script} that can be run"
        case other:
            return "" if other in ELSEWHERE else f"{other} is no command that we know"


def _unknown_to_treaty(arguments: list[str]) -> str:
    command: Any = get_command(app)
    for word in arguments:
        if not hasattr(command, "commands"):
            return _unknown_option(command, arguments)
        if word not in command.commands:
            return f"treaty has no command {word}"
        command = command.commands[word]
    return ""


def _unknown_option(command: Any, arguments: list[str]) -> str:
    known = {option for parameter in command.params for option in parameter.opts}
    unknown = {word for word in arguments if word.startswith("--")} - known - {"--help"}
    return f"{command.name} has no option {', '.join(sorted(unknown))}" if unknown else ""


IN_AN_EMPTY_FOLDER = ROOT / "docs/how-to/use-treaty-in-your-own-repository.md"
"""The page whose commands tests/docs/test_own_repository.py runs, outside of this checkout."""

COMMANDS = [
    (block, line)
    for block in BLOCKS
    if block.language in ("bash", "console") and block.page != IN_AN_EMPTY_FOLDER
    for line in block.commands
]


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=str)
def test_every_command_on_a_page_exists(block: Block, command: str) -> None:
    assert _unknown(command) == "", str(block)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert _unknown("./treaty quarantine burn x") == "treaty has no command burn"
    assert _unknown("./treaty quarantine retry x y --hard") == "retry has no option --hard"
    assert _unknown("treaty contexts") == "treaty is no command that we know"
    assert _unknown("./scripts/burn --all") == "there is no scripts/burn that can be run"
    assert _unknown("python -m treaty.burn") == "there is no module treaty.burn"
    assert _unknown("frobnicate --all") == "frobnicate is no command that we know"


def _models(base: type[Settings] = Settings) -> Iterator[type[Settings]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _in_code() -> dict[str, str]:
    """The settings of the toolkit and of every context, with their defaults as the page has them."""
    services()  # imports every context
    ours = [model for model in _models() if model.__module__.startswith(("treaty.", "services."))]
    fields = [field for model in ours for field in model.model_fields.values()]
    return {SERVICES: "`services`"} | {field.alias: _default(field.default) for field in fields if field.alias}


def _default(value: object) -> str:
    match value:
        case None:
            return "–"
        case SecretStr():
            return "set in `dev` only" if value.get_secret_value() else "–"
        case str():
            return f"`{value}`" if value else "–"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _on_the_page() -> dict[str, str]:
    found: dict[str, str] = {}
    for names, defaults in _ROW.findall(SETTINGS.read_text()):
        variables = [name.strip("`") for name in names.split(", ") if name != "…"]
        found |= dict(zip(variables, defaults.split(", "), strict=True))
    return {name: default for name, default in found.items() if not name.startswith("OTEL_")}


def test_the_page_of_settings_has_those_of_the_code_with_their_defaults() -> None:
    assert _on_the_page() == _in_code()


def test_the_context_map_and_the_published_events_are_those_of_the_services() -> None:
    assert list(pages.stale(ROOT)) == []
