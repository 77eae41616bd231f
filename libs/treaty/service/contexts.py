"""Finds contexts: a context is a folder `services/<domain>/<context>` with a `service.py`; there is no registry.

The environment variable TREATY_SERVICES names another package instead of `services`.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from treaty.commits.policies import events_of, unpublished
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.wiring import WiringError

Build = Callable[[Ports], Service]
"""The function `build` in a context's service.py: it returns the service, built on the ports."""


SERVICES = "TREATY_SERVICES"
"""The environment variable with the name of the package in which the contexts are; `services` without it."""


class UnknownContext(Exception):
    """There is no such context."""


def find_contexts() -> Sequence[str]:
    """Returns the names of all contexts, such as commerce.ordering, without importing them."""
    spec = importlib.util.find_spec(_package())
    roots = list(spec.submodule_search_locations or ()) if spec else []
    found = (path for root in roots for path in Path(root).glob("*/*/service.py"))
    return sorted(f"{path.parent.parent.name}.{path.parent.name}" for path in found)


def load_context(name: str) -> Build:
    """Returns the `build` of a context; imports this context and no other.

    Raises:
        UnknownContext: with the names of the existing contexts.
        WiringError: if a declaration in its modules is not possible.
    """
    if name not in find_contexts():
        raise UnknownContext(f"there is no context {name}; there are {', '.join(find_contexts())}")
    return checked(name, importlib.import_module(module_of(name, "service")).build)


def module_of(name: str, module: str) -> str:
    """Returns the full name of a module of a context."""
    return f"{_package()}.{name}.{module}"


def _package() -> str:
    return os.environ.get(SERVICES) or "services"


def checked(name: str, build: Build) -> Build:
    """Returns a `build` that raises WiringError if the service differs from its folder's name or its policies."""

    def built(ports: Ports) -> Service:
        own = replace(ports)  # without the policies of other contexts
        service = build(own)
        if not isinstance(service, Service):
            raise WiringError(f"`build` of {name} returns {service!r}: return the Service in service.py")
        if service.name != name:
            raise WiringError(
                f"{module_of(name, 'service').replace('.', '/')}.py builds a service that is called {service.name}: "
                f'write name="{name}" there, the name of its folder'
            )
        for policy in own.policies:
            for event in sorted(events_of(policy) - set(service.publishes), key=lambda kind: kind.__name__):
                raise unpublished(policy, event)
        for command in own.commands:
            if command not in service.handlers:
                raise WiringError(
                    f"{name} stores the command {command.__name__}, and nothing carries it out: "
                    "write `commands=` and `calls=` in Service(…) in service.py"
                )
        return service

    return built
