"""Generated contracts of any domain, also of one that is new, are seen by the edges of a context alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT

PURE = ("domain", "application", "sagas", "projections")


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{name.name}" for name in names)


def _contracts(source: str) -> list[str]:
    """The generated modules that some source imports."""
    return [name for name in _imported(source) if any(part.endswith(("_pb2", "_pb2_grpc")) for part in name.split("."))]


def _pure_modules(root: Path) -> list[Path]:
    places = [path for layer in PURE for path in (root / "services").glob(f"*/*/{layer}*")]
    return [module for place in places for module in ([place] if place.suffix == ".py" else place.rglob("*.py"))]


def test_pure_modules_import_no_contract() -> None:
    modules = _pure_modules(ROOT)
    assert len(modules) > 20
    assert {str(module): found for module in modules if (found := _contracts(module.read_text()))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from media.library.v1 import library_events_pb2 as events",
        "from media.library.v1.library_service_pb2_grpc import LibraryServiceStub",
        "def f():\n    import media.library.v1.library_events_pb2",
    ],
)
@pytest.mark.parametrize("place", ["domain.py", "application/loans.py"])
def test_a_planted_import_of_a_contract_is_found(tmp_path: Path, place: str, line: str) -> None:
    module = tmp_path / "services/media/library" / place
    module.parent.mkdir(parents=True)
    module.write_text(line)
    assert _pure_modules(tmp_path) == [module]
    assert _contracts(module.read_text())
