"""Checks a repository without running it: its contexts, its generated modules, and what its contexts store."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from treaty.cli.context_map import services
from treaty.cli.project import Project, find_project
from treaty.cli.protos import Broken, stale
from treaty.service.contexts import find_contexts, module_of
from treaty.service.shapes import stored_shapes
from treaty.wiring import WiringError


def check(
    accept: Annotated[
        bool, typer.Option("--accept", help="write what the contexts store now, instead of comparing it")
    ] = False,
) -> None:
    """Check that every context can be built, that the generated modules are up to date, and that nothing that is
    stored has changed its form."""
    project = find_project()
    if accept:
        for path, text in shapes(project).items():
            if path.exists() and path.read_text() == text:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            typer.echo(f"{path.relative_to(project.root)} is written")
        return
    found = list(faults(project))
    contexts = len(find_contexts())
    fine = f"{contexts} context{'' if contexts == 1 else 's'} can be built; contracts and stored forms fit"
    typer.echo("\n".join(found) or fine)
    raise typer.Exit(1 if found else 0)


def faults(project: Project) -> Iterator[str]:
    """Yields a sentence for each fault."""
    try:
        services()
    except WiringError as error:
        yield str(error)
        return
    try:
        yield from stale(project)
    except Broken as error:
        yield str(error)
    yield from changed_shapes(project)


def shapes(project: Project) -> dict[Path, str]:
    """Returns the text of the file of each context that says what it stores."""
    made = {name: stored_shapes(importlib.import_module(module_of(name, "storage"))) for name in find_contexts()}
    folder = project.root / project.shapes
    return {folder / f"{name}.json": _text(found) for name, found in made.items()}


def changed_shapes(project: Project) -> Iterator[str]:
    """Yields a sentence for each context whose stored forms are not those that its file says."""
    expected = shapes(project)
    for path, text in expected.items():
        name = path.relative_to(project.root)
        if not path.exists():
            yield f"{name} is missing: write it with `treaty check --accept`, and read it"
        elif json.loads(path.read_text()) != json.loads(text):
            yield (
                f"{name} differs from the code. What is stored already has the old form: keep the name and add an "
                "upcast or a new version. If the change is compatible, accept it with `treaty check --accept`"
            )
    for path in sorted((project.root / project.shapes).glob("*.*.json")):
        if path not in expected:
            yield f"{path.relative_to(project.root)} belongs to no context"


def _text(found: Any) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
