"""The declaration of a gRPC service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Api:
    """A gRPC service: the generated `add_…Servicer_to_server`, the servicer, and its full name."""

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str
