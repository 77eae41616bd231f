"""The declaration of a gRPC service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Api:
    """A gRPC service: the generated `add_…Servicer_to_server`, and the servicer.

    Attributes:
        name: the full name of the service, which `add` registers.
    """

    add: Callable[[Any, Any], None]
    servicer: Any
    name: str = field(init=False)

    def __post_init__(self) -> None:
        registry = _Registry()
        self.add(self.servicer, registry)
        object.__setattr__(self, "name", registry.name)


class _Registry:
    """Has the methods of a server that `add_…Servicer_to_server` calls, and keeps the name of the service."""

    name: str = ""

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        [handler] = handlers
        self.name = handler.service_name()

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Does nothing: it repeats the handlers for a faster look-up."""
