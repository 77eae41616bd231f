"""What lies on disk: a golden file for each context, so that a rename in memory cannot change it silently."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from treaty.codec import Names, codec_of
from treaty.projections import Projection
from treaty.stored import Stored

from services.commerce.inventory import storage as inventory
from services.commerce.ordering import storage as ordering
from services.commerce.payments import storage as payments
from tests.golden_files import matches_golden

GOLDEN = Path(__file__).parents[1] / "golden"

CONTEXTS: Mapping[str, Any] = {
    "commerce.ordering": ordering,
    "commerce.inventory": inventory,
    "commerce.payments": payments,
}


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


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_stored_shapes_are_those_of_the_golden_file(context: str) -> None:
    matches_golden(GOLDEN / f"{context}.json", _shapes(CONTEXTS[context]))


def test_every_context_has_a_golden_file() -> None:
    folders = Path(__file__).parents[2].glob("services/*/*/storage.py")
    found = {f"{path.parent.parent.name}.{path.parent.name}" for path in folders}
    assert found == set(CONTEXTS)
