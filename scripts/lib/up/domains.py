"""The contexts to run, and what each domain brings along in `services/<domain>/samples.py`."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from types import ModuleType
from typing import Any

from treaty.cli.context_map import services
from treaty.service.contexts import find_contexts


class NoSuchContext(Exception):
    """Nothing is called so; the message names all that there is."""


class Unreadable(Exception):
    """The code of a context cannot be imported, or builds no service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """The chosen contexts, and the samples of their domains.

    Attributes:
        contexts: their names, in order.
        webhooks: those that other systems call over HTTP.
        samples: the modules `services.<domain>.samples` that exist.
    """

    contexts: Sequence[str]
    webhooks: Sequence[str]
    samples: Sequence[ModuleType] = field(default_factory=list)

    @property
    def ports(self) -> Mapping[str, int]:
        """The default port of every listener: 50051 and following for gRPC, 8080 and following for webhooks.

        They count through all contexts of the checkout, so that a context has the same port whichever are chosen.
        """
        grpc = {name: 50051 + number for number, name in enumerate(find_contexts())}
        http = {f"{name}_http": 8080 + number for number, name in enumerate(_with_webhooks())}
        wanted = {name: grpc[name] for name in self.contexts} | {"traces": 4317}
        wanted |= {f"{name}_http": http[f"{name}_http"] for name in self.webhooks}
        for module in self.samples:
            wanted |= getattr(module, "PORTS", {})
        return wanted

    def systems(self, ports: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
        """Returns the arguments of Python that start the outside systems of the chosen contexts, by their names."""
        return {
            name: ["-m", *_filled(command, ports).split()]
            for module in self.samples
            for name, command in getattr(module, "SYSTEMS", {}).items()
            if command.split(".external.")[0].removeprefix("services.") in self.contexts
        }

    def settings(self, ports: Mapping[str, int]) -> Mapping[str, str]:
        """Returns the settings with which the contexts find the outside systems."""
        found = [getattr(module, "SETTINGS", {}) for module in self.samples]
        return {name: _filled(value, ports) for each in found for name, value in each.items()}

    def opening(self) -> Iterator[Any]:
        """Yields the requests that fill the chosen contexts."""
        for module in self.samples:
            yield from (one for one in getattr(module, "opening", lambda: ())() if self._has(one))

    def example(self) -> Any:
        """Returns the request to try first, or None."""
        found = [getattr(module, "EXAMPLE", None) for module in self.samples]
        return next((one for one in found if one is not None and self._has(one)), None)

    def deeds(self) -> Mapping[str, tuple[int, Callable[..., Any]]]:
        """Returns the deeds of the traffic, with their weights."""
        return {name: deed for module in self.samples for name, deed in getattr(module, "DEEDS", {}).items()}

    def _has(self, request: Any) -> bool:
        return context_of(request) in self.contexts


def context_of(request: Any) -> str:
    """Returns the context that a request is for: the package of its proto without the version."""
    return str(request.DESCRIPTOR.file.package).rpartition(".")[0]


def chosen(names: Sequence[str]) -> Domains:
    """Returns the named contexts and all contexts of the named domains; without names, all contexts there are.

    Raises:
        NoSuchContext: if a name is neither.
        Unreadable: if the code of a context cannot be imported.
    """
    there = find_contexts()
    for name in names:
        if not any(name in (context, context.split(".")[0]) for context in there):
            raise NoSuchContext(f"there is no domain or context {name}; there are {', '.join(there)}")
    contexts = [one for one in there if not names or one in names or one.split(".")[0] in names]
    return Domains(
        contexts=contexts,
        webhooks=[name for name in _with_webhooks() if name in contexts],
        samples=list(_samples(sorted({name.split(".")[0] for name in contexts}))),
    )


def _samples(domains: Sequence[str]) -> Iterator[ModuleType]:
    for domain in domains:
        if importlib.util.find_spec(f"services.{domain}.samples"):
            yield importlib.import_module(f"services.{domain}.samples")


def _with_webhooks() -> Sequence[str]:
    """Returns the names of the contexts with webhooks; builds all of them in memory to find out.

    Raises:
        Unreadable
    """
    try:
        return [service.name for service in services() if service.webhooks]
    except Exception as error:  # of the code that somebody is working on, so of any kind
        raise Unreadable(f"a context cannot be built: {type(error).__name__}: {error}") from error


def _filled(text: str, ports: Mapping[str, int]) -> str:
    """Fills in ports: `$gateway`, and `$payments_http` for the webhooks of commerce.payments."""
    short = {name.rpartition(".")[2]: str(port) for name, port in ports.items()}
    return Template(text).safe_substitute(short)
