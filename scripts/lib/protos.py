"""Generates libs/contracts from protos/, and finds what is stale, untidy or incompatible in the contracts."""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from treaty.cli.project import Project, find_project
from treaty.cli.protos import Broken, compile_protos, renew, stale

from scripts.lib import npm
from scripts.lib.command_line import parser_of
from scripts.lib.paths import ROOT

GROUND = Path("scripts/lib/prove/ground")
"""The contexts that the proof drives have their protos beside them: they are nobody's contract."""
BASELINE = Path("protos/baseline.binpb")


def generate_ground(root: Path, target: Path) -> None:
    """Writes the modules of the contexts of the proof; all of them have a service."""
    target.mkdir(parents=True, exist_ok=True)
    protos = sorted(path.relative_to(root).as_posix() for path in (root / GROUND).glob("*.proto"))
    kinds = ("python_out=", "mypy_out=quiet:", "grpc_python_out=", "mypy_grpc_out=quiet,only_async:")
    compile_protos(root, [root], protos, [f"--{kind}{target}" for kind in kinds])


def renew_all(project: Project) -> None:
    """Replaces the committed modules; first those of the proof, which are compiled aside.

    Raises:
        Broken: then nothing has changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        generate_ground(project.root, Path(folder))
        renew(project)
        shutil.copytree(folder, project.root, dirs_exist_ok=True)


def stale_ground(root: Path) -> Iterator[str]:
    """Yields a sentence for each module of the proof that is missing, or not the one of its proto."""
    with tempfile.TemporaryDirectory() as folder:
        generate_ground(root, Path(folder))
        made = (path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
        for name in sorted(path.relative_to(folder).as_posix() for path in made):
            if not (root / name).exists() or not filecmp.cmp(Path(folder) / name, root / name, shallow=False):
                yield f"{name} is missing, or differs from what its proto says"


def untidy(root: Path) -> Iterator[str]:
    yield from _buf(root, "lint")
    yield from _buf(root, "format", "protos", "--diff", "--exit-code")


def incompatible(root: Path) -> Iterator[str]:
    """Changes since the baseline that would break the code or the messages of another team."""
    if not (root / BASELINE).exists():
        yield f"{BASELINE} is missing: write it with scripts/protos --baseline"
    else:
        yield from _buf(root, "breaking", "protos", "--against", str(BASELINE))


def renew_baseline(root: Path) -> None:
    for fault in _buf(root, "build", "protos", "--exclude-source-info", "--output", str(BASELINE)):
        raise SystemExit(fault)


def faults(project: Project) -> list[str]:
    stale_ones = [*stale(project), *stale_ground(project.root)]
    advice = [f"{project.contracts} is renewed by scripts/protos"] if stale_ones else []
    return [*stale_ones, *advice, *untidy(project.root), *incompatible(project.root)]


def _buf(root: Path, *arguments: str) -> list[str]:
    """Runs Buf; what it prints are the faults, if it does not end well."""
    run = subprocess.run([npm.buf(), *arguments], cwd=root, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return []
    return [line for line in (run.stdout + run.stderr).splitlines() if line] or [f"buf {arguments[0]} failed"]


def main() -> int:
    parser = parser_of("protos")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--baseline", action="store_true")
    choice = parser.parse_args()
    project = find_project(ROOT)
    try:
        if choice.check:
            found = faults(project)
            print("\n".join(found) or "contracts: generated, tidy and compatible")
            return 1 if found else 0
        renew_baseline(ROOT) if choice.baseline else renew_all(project)
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
