"""A trace as a tree, for people: the services' spans, their causes, starts and durations.

The handling of a message is below its publishing, because it follows from it. In the trace, both are children of the
span that caused the message, because the message's trace is stored with it and never changes.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from treaty.telemetry.spans import FinishedSpan

_MESSAGE = "messaging.message.id"
_ARRIVALS = ("server", "consumer")
_ROUTING_KEY = "messaging.rabbitmq.destination.routing_key"


@dataclass(frozen=True, slots=True)
class Placed:
    """A span in the tree: `guides` are the lines that lead to it."""

    span: FinishedSpan
    guides: str


def lines(spans: Sequence[FinishedSpan], *, width: int = 160, folded: bool = False) -> list[str]:
    """Returns a trace as lines of plain text, at most `width` wide; `folded` to its hops from service to service."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(heading(spans))
        console.print(table(spans, folded=folded))
    return [line.rstrip() for line in capture.get().splitlines()]


def heading(spans: Sequence[FinishedSpan]) -> Text:
    """Returns one line about the whole trace: its id, its numbers of spans and services, and its duration."""
    count, services = len({span.span_id for span in spans}), {span.service for span in spans}
    took = (max(span.end for span in spans) - min(span.start for span in spans)) / 1e6
    of = f"{_counted(count, 'span')} · {_counted(len(services), 'service')}"
    return Text(f"trace {spans[0].trace_id} · {of} · {took:.1f} ms")


def table(spans: Sequence[FinishedSpan], *, folded: bool = False) -> Table:
    """Returns a trace as a rich table. Times are in milliseconds; `start` counts from the beginning of the trace.

    On a narrow screen the names of spans are cut off, and nothing else.
    """
    begin = min(span.start for span in spans)
    rows = [(f"{(p.span.start - begin) / 1e6:.1f}", f"{p.span.milliseconds:.1f}", p) for p in place(spans, folded)]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("start", justify="right", no_wrap=True)
    grid.add_column("took", justify="right", no_wrap=True)
    grid.add_column("service", no_wrap=True)
    grid.add_column("span")  # rich narrows only a column that may wrap; its cells do not
    for start, took, placed in rows:
        label = Text.assemble(placed.guides, _label(placed.span), no_wrap=True, overflow="ellipsis")
        grid.add_row(start, took, placed.span.service, label, style="red" if placed.span.failed else "")
    return grid


def place(spans: Sequence[FinishedSpan], folded: bool = False) -> Iterator[Placed]:
    """Yields every span once, each below the span that it follows from, in the order of their starts.

    If `folded`, only the hops are left: the spans with which a service begins to work, and the roots.
    """
    parents = parents_of(spans)
    once = {span.span_id: span for span in spans}
    left = {id for id, span in once.items() if not folded or span.kind in _ARRIVALS or id not in parents}
    children: defaultdict[str, list[FinishedSpan]] = defaultdict(list)
    for span in sorted((once[id] for id in left), key=lambda span: (span.start, span.span_id)):
        above = parents.get(span.span_id, "")
        while above and above not in left:
            above = parents.get(above, "")
        children[above].append(span)
    for root in children[""]:
        yield from _below(root, "", "", children)


def _below(
    span: FinishedSpan, guides: str, beyond: str, children: Mapping[str, Sequence[FinishedSpan]]
) -> Iterator[Placed]:
    yield Placed(span, guides)
    following = children.get(span.span_id, ())
    for child in following:
        last = child is following[-1]
        yield from _below(child, beyond + ("└ " if last else "├ "), beyond + ("  " if last else "│ "), children)


def parents_of(spans: Sequence[FinishedSpan]) -> dict[str, str]:
    """Returns {id of a span: id of the span above it}, without the roots.

    The span above is the first of these that the trace has: the publishing of the handled message, the parent, a linked
    span.
    """
    known = {span.span_id: span for span in spans}
    published = _published(spans)
    parents: dict[str, str] = {}
    for span in known.values():
        for candidate in (_publishing(span, published), span.parent_id, *(link[1] for link in span.links)):
            if candidate in known and not _is_above(span.span_id, candidate, parents):
                parents[span.span_id] = candidate
                break
    return parents


def _published(spans: Sequence[FinishedSpan]) -> Mapping[str, Sequence[FinishedSpan]]:
    """Returns {message: its publishing spans, the earliest first}."""
    found: defaultdict[str, list[FinishedSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start):
        if span.kind == "producer" and _MESSAGE in span.attributes:
            found[span.attributes[_MESSAGE]].append(span)
    return found


def _publishing(span: FinishedSpan, published: Mapping[str, Sequence[FinishedSpan]]) -> str:
    """Returns the last attempt, before the span, to publish the message that the span handles."""
    attempts = published.get(span.attributes.get(_MESSAGE, ""), ()) if span.kind == "consumer" else ()
    if not attempts:
        return ""
    before = [attempt for attempt in attempts if attempt.start <= span.start]
    return (before or attempts)[-1].span_id


def _is_above(span_id: str, below: str, parents: Mapping[str, str]) -> bool:
    """Returns whether a span above another would close a circle."""
    while below and below != span_id:
        below = parents.get(below, "")
    return below == span_id


def _label(span: FinishedSpan) -> str:
    """Returns the name of a span as people say it: methods without their package, messages without their queue."""
    label = span.name.rpartition(".")[2] if "/" in span.name else span.name
    if _ROUTING_KEY in span.attributes:
        label = f"{label.split()[0]} {str(span.attributes[_ROUTING_KEY]).rpartition('.')[2]}"
    if span.failed:
        label += f" ✗ {span.attributes.get('error.type', 'error')}"
        label += f": {span.message}" if span.message else ""
    return label


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
