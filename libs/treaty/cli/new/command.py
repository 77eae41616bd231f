"""The command `treaty new`."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from treaty.cli import protos
from treaty.cli.new import files as templates
from treaty.cli.new.names import BadName, Names, conflicts, parse
from treaty.cli.project import Project, find_project


def new(
    context: Annotated[str, typer.Argument(help="the name, <domain>.<context>, such as library.lending")],
    aggregate: Annotated[
        str, typer.Option("--aggregate", help="the name of its aggregate, such as Book or LoanCard")
    ] = "Item",
) -> None:
    """Write a bounded context that runs and has tests, for you to change into your own."""
    project = find_project()
    names, files = _planned(context, aggregate, project)
    templates.write(files, project.root)
    try:
        protos.renew(project)
    except protos.Broken as error:
        _refuse(f"{error}\nThe files are written, and nothing is generated from them yet.", code=1)
    _accept_shapes(project)
    made = f"{project.contracts}/{names.domain}/{names.context}", f"{project.shapes}/{names.full}.json"
    _report(names, [*files, *made], project)


def _planned(context: str, aggregate: str, project: Project) -> tuple[Names, Mapping[str, str]]:
    """Returns the names and the files. Ends the command with a message, before anything is written, if they clash."""
    try:
        names = parse(context, aggregate, templates.vocabulary())
        for problem in [*conflicts(names, project), *templates.occupied(names, project)]:
            raise BadName(problem)
        return names, templates.rendered(names, project)
    except (BadName, templates.NoFormatter) as error:
        _refuse(str(error), code=2)
        raise


def _accept_shapes(project: Project) -> None:
    """Writes down what the contexts store, in a new process, which imports the modules that were just written."""
    run = subprocess.run(
        [sys.executable, "-m", "treaty.cli", "check", "--accept"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        _refuse(f"{run.stdout}{run.stderr}", code=1)


def _report(names: Names, paths: Iterable[str], project: Project) -> None:
    typer.echo(f"{names.full} is written:")
    for path in paths:
        typer.echo(f"  {path}")
    in_checkout = (project.root / "scripts" / "up").exists()
    test = templates.test_of(names)
    typer.echo(f"Test it:   ./scripts/test {test}" if in_checkout else f"Test it:   pytest {test}")
    typer.echo(f"Run it:    ./scripts/up {names.full}" if in_checkout else f"Run it:    treaty run {names.full}")
    typer.echo("Change it: first the words in its __init__.py, then the protos and domain.py.")
    _advise(project.root)


def _advise(root: Path) -> None:
    """Prints what a pyproject.toml that was there before must have."""
    if "[tool.treaty]" not in (root / "pyproject.toml").read_text():
        typer.echo(
            "Add to pyproject.toml, so that commands and tests find the contexts and the generated modules:\n"
            '[tool.treaty]\nservices = "services"\n\n'
            '[tool.pytest.ini_options]\npythonpath = [".", "contracts"]\nasyncio_mode = "auto"\n'
            'asyncio_default_fixture_loop_scope = "function"\n'
            'addopts = "--import-mode=importlib"'
        )


def _refuse(message: str, *, code: int) -> None:
    typer.echo(f"treaty new: {message.rstrip()}", err=True)
    raise typer.Exit(code)
