"""Finding contexts: a context is a folder `services/<domain>/<context>` with a `service.py`; nothing registers it."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from treaty.service.ports import Ports
from treaty.service.service import Service


class UnknownContext(Exception):
    """There is no such context."""


def find_contexts() -> Sequence[str]:
    """Returns the names of all contexts, such as commerce.ordering. Imports none of them."""
    spec = importlib.util.find_spec("services")
    roots = list(spec.submodule_search_locations or ()) if spec else []
    found = (path for root in roots for path in Path(root).glob("*/*/service.py"))
    return sorted(f"{path.parent.parent.name}.{path.parent.name}" for path in found)


def load_context(name: str) -> Callable[[Ports], Service]:
    """Returns the `build` of a context; imports it and nothing else.

    Raises:
        UnknownContext: naming those that there are.
    """
    if name not in find_contexts():
        raise UnknownContext(f"there is no context {name}; there are {', '.join(find_contexts())}")
    build: Callable[[Ports], Service] = importlib.import_module(f"services.{name}.service").build
    return build
