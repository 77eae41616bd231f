"""What lies on disk: a golden file for each context, so that a rename in memory cannot change it silently."""

import importlib
from typing import Any

import pytest
from treaty.commits.codec import Names, codec_of
from treaty.commits.stored import Stored
from treaty.projections.projection import Projection
from treaty.service.contexts import find_contexts

from scripts.lib.paths import ROOT
from tests.golden_files import matches_golden

GOLDEN = ROOT / "tests" / "golden"


def _shapes(storage: Any) -> dict[str, Any]:
    """Returns everything that a storage module names: streams, commands and rows."""
    named: dict[str, Any] = {}
    for value in vars(storage).values():
        match value:
            case Stored():
                named[f"stream {value.stream}"] = dict(value.shapes())
            case Names():
                shapes = {f"{shape.name}.v{shape.version}": codec_of(shape.kind).shape for shape in value.shapes}
                named["commands"] = shapes
            case Projection():
                named[f"rows {value.name}"] = {
                    "row": value.codec.shape,
                    "order_by": value.order_by,
                    "filters": list(value.filters),
                }
    return named


@pytest.mark.parametrize("context", find_contexts())
def test_the_stored_shapes_are_those_of_the_golden_file(context: str) -> None:
    storage = importlib.import_module(f"services.{context}.storage")
    matches_golden(GOLDEN / f"{context}.json", _shapes(storage))


def test_every_golden_file_has_its_context() -> None:
    found = {path.stem for path in GOLDEN.glob("*.*.json")}
    assert found == set(find_contexts())
