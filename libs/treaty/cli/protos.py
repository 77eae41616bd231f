"""Generates Python modules and type stubs from protos, and finds those that are missing, left over or stale."""

import filecmp
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from treaty.cli.context import fail
from treaty.cli.project import INCLUDE, Project, find_project

_PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


class Broken(Exception):
    """A proto does not compile, or the compiler is missing; the message gives the reason."""


Check = Annotated[bool, typer.Option("--check", help="change nothing; report what is stale")]


def protos(check: Check = False) -> None:
    """Generate the Python modules of the contracts. Nothing changes unless every proto compiles."""
    project = find_project()
    try:
        if check:
            found = list(stale(project))
            typer.echo("\n".join(found) or "the generated modules are those of the protos")
            raise typer.Exit(1 if found else 0)
        renew(project)
    except Broken as error:
        fail(str(error))


def generate(project: Project, target: Path) -> None:
    """Writes the modules and type stubs of every proto into a folder; those of gRPC only where there is a service.

    Raises:
        Broken
    """
    sources = (project.root / project.protos, INCLUDE)
    names = sorted(path.relative_to(folder).as_posix() for folder in sources for path in folder.rglob("*.proto"))
    target.mkdir(parents=True, exist_ok=True)
    compile_protos(project.root, sources, names, [f"--python_out={target}", f"--mypy_out=quiet:{target}"])
    services = [name for name in names if _defines_service(sources, name)]
    outputs = [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet,only_async:{target}"]
    compile_protos(project.root, sources, services, outputs)


def renew(project: Project) -> None:
    """Replaces the generated modules, so that those of a removed proto go too.

    Raises:
        Broken: then nothing has changed.
    """
    contracts = project.root / project.contracts
    contracts.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=contracts.parent, prefix=".protos-") as folder:
        made, before = Path(folder) / "made", Path(folder) / "before"
        generate(project, made)
        if contracts.exists():
            contracts.rename(before)
        made.rename(contracts)


def stale(project: Project) -> Iterator[str]:
    """Yields a sentence for each generated file that is missing, left over, or not the one of its proto."""
    with tempfile.TemporaryDirectory() as folder:
        fresh, there = Path(folder), project.root / project.contracts
        generate(project, fresh)
        expected, found = _files(fresh), _files(there)
        yield from (f"{project.contracts}/{name} is missing" for name in sorted(expected - found))
        yield from (f"{project.contracts}/{name} comes from no proto" for name in sorted(found - expected))
        for name in sorted(expected & found):
            if not filecmp.cmp(fresh / name, there / name, shallow=False):
                yield f"{project.contracts}/{name} differs from what its proto says"


def compile_protos(root: Path, sources: Sequence[Path], names: Sequence[str], outputs: Sequence[str]) -> None:
    """Runs the compiler on protos.

    Raises:
        Broken: with the compiler's message.
    """
    if not names:
        return
    if importlib.util.find_spec("grpc_tools") is None:
        raise Broken("the compiler of protos is missing: pip install 'treaty[dev]'")
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={name}={scripts / name}" for name in _PLUGINS]
    includes = [f"-I{source}" for source in sources if source.is_dir()]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *plugins, *outputs, *names]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().replace(f"{root}/", "")
        raise Broken(f"{said}\nA proto does not compile; nothing was changed.")


def _defines_service(sources: Sequence[Path], name: str) -> bool:
    text = next(source / name for source in sources if (source / name).exists()).read_text()
    return re.search(r"^service ", text, re.MULTILINE) is not None


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix() for path in paths}
