"""`treaty context-map`: prints the context map (Eric Evans): the relations that the contexts declare."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from treaty.cli.context import fail
from treaty.memory.stores import MemoryStores
from treaty.messaging.subscriptions import by_producer
from treaty.service.context_map import EXTERNAL, Relation
from treaty.service.contexts import find_contexts, load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.wiring import WiringError


def services() -> Sequence[Service]:
    """Builds every context on memory adapters, for inspection; building a service checks its relations.

    Raises:
        WiringError: if a context is built wrongly.
    """
    surroundings = Surroundings()
    ports = Ports(stores=MemoryStores(surroundings), surroundings=surroundings, environ={})
    return [load_context(name)(ports) for name in find_contexts()]


def context_map(as_json: Annotated[bool, typer.Option("--json", help="print JSON for a machine")] = False) -> None:
    """Print the context map, a Mermaid diagram and a table, as it is in docs/reference/context-map.md."""
    try:
        found = services()
    except WiringError as error:
        fail(str(error))
    if as_json:
        relations = {s.name: [{"upstream": r.upstream, "pattern": r.pattern} for r in s.relations] for s in found}
        typer.echo(json.dumps(relations))
    else:
        typer.echo("\n".join(page(found)))


def page(found: Sequence[Service]) -> Iterator[str]:
    """Yields the lines of the reference page."""
    yield "# The context map"
    yield ""
    yield "Written by `./treaty context-map` from the relations that each `service.py` declares. A service whose"
    yield "declaration differs from its subscriptions and calls is not built. Arrows point downstream, to the consumer."
    yield ""
    yield "```mermaid"
    yield "flowchart LR"
    for service in found:
        for relation in service.relations:
            arrow = "-.->" if relation.is_external else "-->"
            yield f"    {_node(relation.upstream)} {arrow}|{relation.pattern}| {_node(service.name)}"
    yield "```"
    yield ""
    yield "| context | upstream | pattern | through | why |"
    yield "|---|---|---|---|---|"
    for service in found:
        through = _through(service)
        for relation in service.relations:
            yield _row(service.name, relation, through)


def _row(name: str, relation: Relation, through: Mapping[str, str]) -> str:
    how = through.get(relation.upstream, "its own protocol")
    return f"| {name} | {relation.upstream} | {relation.pattern} | {how} | {relation.why} |"


def _through(service: Service) -> Mapping[str, str]:
    events = {
        producer: ", ".join(sorted(kind.rpartition(".")[2] for kind in kinds))
        for producer, kinds in by_producer(service.subscriptions).items()
    }
    for peer in service.peers:
        events[peer.context] = ", ".join(filter(None, [events.get(peer.context, ""), "gRPC calls"]))
    return events


def _node(name: str) -> str:
    short = name.partition(".")[2]
    shape = f"([{short}])" if name.startswith(EXTERNAL) else f"[{short}]"
    return name.replace(".", "_") + shape
