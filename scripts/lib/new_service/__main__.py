"""The command line: scripts/new-service media.library --aggregate Book."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from scripts.lib import protos
from scripts.lib.manifests import kustomization
from scripts.lib.new_service import files as templates
from scripts.lib.new_service.names import BadName, Names, conflicts, parse
from scripts.lib.paths import ROOT
from scripts.lib.reference import pages

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def new_service(
    context: Annotated[str, typer.Argument(help="The name, <domain>.<context>, such as media.library.")],
    aggregate: Annotated[str, typer.Option(help="The name of its aggregate, such as Book or LoanCard.")] = "Item",
    no_generate: Annotated[
        bool, typer.Option("--no-generate", help="Leave out the files that are generated from its sources.")
    ] = False,
) -> None:
    """Write a bounded context that runs and has tests, for you to change into your own."""
    root = ROOT
    names = _checked(context, aggregate, root)
    files = templates.rendered(names, root)
    test = templates.test_of(names)
    templates.write(files, root)
    try:
        made = [] if no_generate else _generate(names, root)
    except protos.Broken as error:
        typer.echo(f"{error}\nnew-service: a proto does not compile, so nothing was generated", err=True)
        raise typer.Exit(1) from None
    _report(names, [*files, *made], test, generated=not no_generate)


def _checked(context: str, aggregate: str, root: Path) -> Names:
    """Ends the command with a message, before anything is written, if the names cannot be used."""
    try:
        names = parse(context, aggregate, templates.vocabulary())
        for problem in [*conflicts(names, root), *templates.occupied(names, root)]:
            raise BadName(problem)
    except BadName as error:
        typer.echo(f"new-service: {error}", err=True)
        raise typer.Exit(2) from None
    return names


def _generate(names: Names, root: Path) -> list[str]:
    """Writes the generated files: of scripts/protos, scripts/manifests and scripts/reference, and the golden file."""
    protos.renew(root)
    kustomization.write(root)
    golden = "tests/services/test_stored_shapes.py"
    _run([sys.executable, "-m", "pytest", "-q", golden, "-k", f"{names.full}]"], root, REGENERATE_GOLDEN="1")
    _run([sys.executable, "-m", "scripts.lib.reference"], root)
    workload = kustomization.Context(f"{names.domain}/{names.context}").workload
    made = [f"libs/contracts/{names.domain}/{names.context}", f"tests/golden/{names.full}.json"]
    return [*made, f"k8s/contexts/{workload}", f"{kustomization.CONTEXTS}/kustomization.yaml", pages.EVENTS]


def _run(command: list[str], root: Path, **environ: str) -> None:
    """Runs a tool in a new process, which can import the modules that were just written."""
    run = subprocess.run(command, cwd=root, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        typer.echo(f"{run.stdout}{run.stderr}\nnew-service: {' '.join(command)} failed", err=True)
        raise typer.Exit(1)


def _report(names: Names, paths: Iterable[str], test: str, *, generated: bool) -> None:
    typer.echo(f"{names.full} is written:")
    for path in paths:
        typer.echo(f"  {path}")
    if not generated:
        typer.echo("Generate the rest: ./scripts/protos && ./scripts/manifests && ./scripts/reference,")
        typer.echo(f"  then REGENERATE_GOLDEN=1 ./scripts/test tests/services/test_stored_shapes.py -k {names.full}")
    typer.echo(f"Test it:   ./scripts/test {test}")
    typer.echo(f"Run it:    ./scripts/up {names.full}")
    typer.echo("Change it: first the words in its __init__.py, then the protos and domain.py; docs/tutorial.md shows")
    typer.echo("  each step. Run ./scripts/check, and ./scripts/protos --baseline once others rely on its contracts.")


if __name__ == "__main__":
    app(prog_name=os.environ.get("TREATY_COMMAND", "scripts/new-service"))
