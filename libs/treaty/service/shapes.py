"""The stored forms of a context: of its events, states, commands and rows."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from treaty.commits.codec import Names, codec_of
from treaty.commits.stored import Stored
from treaty.projections.projection import Projection


def stored_shapes(storage: ModuleType) -> Mapping[str, Any]:
    """Returns everything that a module `storage` names: streams, commands and rows, with their forms."""
    named: dict[str, Any] = {}
    for value in vars(storage).values():
        match value:
            case Stored():
                named[f"stream {value.stream}"] = dict(value.shapes())
            case Names():
                named["commands"] = {f"{s.name}.v{s.version}": codec_of(s.kind).shape for s in value.shapes}
            case Projection():
                named[f"rows {value.name}"] = {
                    "row": value.codec.shape,
                    "order_by": value.order_by,
                    "filters": list(value.filters),
                }
    return named
