"""Generates libs/contracts from protos/, and finds what is stale, untidy or incompatible in the contracts."""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.lib import npm
from scripts.lib.command_line import parser_of
from scripts.lib.paths import ROOT

SOURCES = ("protos", "libs/treaty/include")
GENERATED = Path("libs/contracts")
GROUND = Path("scripts/lib/prove/ground")
"""The contexts that the proof drives have their protos beside them: they are nobody's contract."""
BASELINE = Path("protos/baseline.binpb")


class Broken(Exception):
    """A proto does not compile; the message is that of the compiler."""


def generate(root: Path, target: Path) -> None:
    """Writes the modules and type stubs of every proto into the folder; those of gRPC only where there is a service."""
    protos = sorted(_protos(root))
    target.mkdir(parents=True, exist_ok=True)
    _protoc(root, protos, [f"--python_out={target}", f"--mypy_out=quiet:{target}"])
    services = [proto for proto in protos if _defines_service(root, proto)]
    _protoc(root, services, [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet,only_async:{target}"])


def generate_ground(root: Path, target: Path) -> None:
    """The same for the contexts of the proof; all of them have a service."""
    target.mkdir(parents=True, exist_ok=True)
    protos = sorted(path.relative_to(root).as_posix() for path in (root / GROUND).glob("*.proto"))
    kinds = ("python_out=", "mypy_out=quiet:", "grpc_python_out=", "mypy_grpc_out=quiet,only_async:")
    if protos:
        _protoc(root, protos, [f"--{kind}{target}" for kind in kinds], includes=["-I."])


def renew(root: Path) -> None:
    """Replaces the committed modules, so that the modules of a removed proto go too.

    The new modules are written aside and put in place when every proto has compiled.

    Raises:
        Broken: then nothing has changed.
    """
    (root / ".dev").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root / ".dev", prefix="protos-") as folder:
        contracts, ground, before = (Path(folder) / name for name in ("contracts", "ground", "before"))
        generate(root, contracts)
        generate_ground(root, ground)
        if (root / GENERATED).exists():
            (root / GENERATED).rename(before)
        contracts.rename(root / GENERATED)
        shutil.copytree(ground, root, dirs_exist_ok=True)


def stale(root: Path) -> Iterator[str]:
    """Generated files that are missing, left over, or not what the protos say."""
    with tempfile.TemporaryDirectory() as folder:
        fresh, committed = Path(folder), root / GENERATED
        generate(root, fresh)
        expected, found = _files(fresh), _files(committed)
        yield from (f"{GENERATED}/{name} is missing" for name in sorted(expected - found))
        yield from (f"{GENERATED}/{name} comes from no proto" for name in sorted(found - expected))
        for name in sorted(expected & found):
            if not filecmp.cmp(fresh / name, committed / name, shallow=False):
                yield f"{GENERATED}/{name} differs from what its proto says"
    with tempfile.TemporaryDirectory() as folder:
        generate_ground(root, Path(folder))
        for name in sorted(_files(Path(folder))):
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


def faults(root: Path) -> list[str]:
    stale_ones = list(stale(root))
    advice = ["libs/contracts is renewed by scripts/protos"] if stale_ones else []
    return [*stale_ones, *advice, *untidy(root), *incompatible(root)]


def _protos(root: Path) -> Iterator[str]:
    """The import names of all protos, such as commerce/money/v1/money.proto."""
    for source in SOURCES:
        yield from (path.relative_to(root / source).as_posix() for path in (root / source).rglob("*.proto"))


def _defines_service(root: Path, proto: str) -> bool:
    lines = next(root / source / proto for source in SOURCES if (root / source / proto).exists()).read_text()
    return any(line.startswith("service ") for line in lines.splitlines())


def _protoc(root: Path, protos: Sequence[str], outputs: Sequence[str], *, includes: Sequence[str] = ()) -> None:
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    includes = includes or [f"-I{source}" for source in SOURCES]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *plugins, *outputs, *protos]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Broken((run.stderr or run.stdout).strip())


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix() for path in paths}


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
    try:
        if choice.check:
            found = faults(ROOT)
            print("\n".join(found) or "contracts: generated, tidy and compatible")
            return 1 if found else 0
        renew_baseline(ROOT) if choice.baseline else renew(ROOT)
    except Broken as error:
        print(f"{error}\nA proto does not compile; nothing was changed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
