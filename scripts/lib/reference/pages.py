"""Writes what follows from the code: in docs/reference the context map, the tables of published events and of metrics;
in k8s/alerts the rule for events that nobody is bound to.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from treaty.cli.context_map import page, services
from treaty.messaging.subscriptions import by_producer
from treaty.service.service import Service
from treaty.telemetry.metrics import METRICS
from treaty.wiring import WiringError

from scripts.lib.command_line import parser_of
from scripts.lib.paths import ROOT
from scripts.lib.reference import drawing, toolkit

CONTEXT_MAP, EVENTS, TELEMETRY, TOOLKIT = (
    f"docs/reference/{name}.md" for name in ("context-map", "events", "telemetry", "toolkit")
)
DRAWING = "docs/explanation/toolkit.md"
HEAD = "| context | publishes |\n|---|---|\n"
UNROUTABLE = "k8s/alerts/unroutable.yaml"
_RULE = """\
# Written by scripts/reference: every event that one context publishes and another subscribes to.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: treaty-unroutable
spec:
  groups:
    - name: treaty-unroutable
      rules:
        - alert: TreatyUnroutable
          # The first one of a type makes the series, which `increase` would not notice.
          expr: |-
            sum by (job, treaty_type) (treaty_relay_unroutable_total{{treaty_type=~"{types}"}})
            - (
              sum by (job, treaty_type) (treaty_relay_unroutable_total offset 10m)
              or
              sum by (job, treaty_type) (treaty_relay_unroutable_total) * 0
            ) > 0
          for: 0m
          labels:
            severity: critical
          annotations:
            summary: "Nobody is bound to {{{{ $labels.treaty_type }}}}, and a context subscribes to it"
            runbook_url: docs/how-to/respond-to-alerts.md#an-event-has-nowhere-to-go
"""
METRICS_HEAD = "| metric | kind | unit | by | tells |\n|---|---|---|---|---|\n"


def written(root: Path) -> Mapping[str, str]:
    """Returns the pages as they should be, by path."""
    found = services()
    return {
        CONTEXT_MAP: "\n".join(page(found)) + "\n",
        EVENTS: _with_table(root, EVENTS, HEAD, _rows(found)),
        TELEMETRY: _with_table(root, TELEMETRY, METRICS_HEAD, _metrics()),
        TOOLKIT: toolkit.page(),
        DRAWING: _with_drawing(root),
        UNROUTABLE: _RULE.format(types="|".join(_subscribed(found))),
    }


def _with_table(root: Path, path: str, head: str, rows: Iterator[str]) -> str:
    """Returns a page with the rows in the one table that has this head."""
    table = head + "".join(rows)
    text, tables = re.subn(re.escape(head) + r"(\|.*\n)*", lambda _: table, (root / path).read_text())
    if tables != 1:
        raise SystemExit(f"{path} must have one table that begins with {head.splitlines()[0]}")
    return text


def _with_drawing(root: Path) -> str:
    """Returns the page with the one drawing of the toolkit's packages."""
    before, head, rest = (root / DRAWING).read_text().partition(drawing.HEAD)
    if not head:
        raise SystemExit(f"{DRAWING} must have one drawing that begins with {drawing.HEAD.splitlines()[0]}")
    return before + drawing.drawing() + rest.partition(drawing.TAIL)[2]


def stale(root: Path) -> Iterator[str]:
    """Pages that are missing or differ from what the code says."""
    for path, text in written(root).items():
        if not (root / path).exists() or (root / path).read_text() != text:
            yield f"{path} differs from what the services declare: run scripts/reference"


def _rows(found: Sequence[Service]) -> Iterator[str]:
    for service in found:
        names: list[str] = [_name(kind) for kind in service.publishes]
        if names:
            yield f"| {service.name} | {', '.join(names)} |\n"


def _subscribed(found: Sequence[Service]) -> list[str]:
    """Returns the types of the events that one context publishes and another subscribes to."""
    wanted = {kind for service in found for kinds in by_producer(service.subscriptions).values() for kind in kinds}
    published: set[str] = {kind.DESCRIPTOR.full_name for service in found for kind in service.publishes}  # type: ignore[attr-defined]
    return sorted(wanted & published)


def _metrics() -> Iterator[str]:
    for name, metric in METRICS.items():
        by = ", ".join(f"`{dimension}`" for dimension in metric.dimensions) or "–"
        yield f"| `{name}` | {metric.kind} | {metric.unit} | {by} | {metric.description} |\n"


def _name(kind: type) -> str:
    """The name by which a message is bound, without the context and `v1`: PaymentReceived, or v2.PaymentReceived."""
    full: str = kind.DESCRIPTOR.full_name  # type: ignore[attr-defined]
    version, name = full.rsplit(".", 2)[1:]
    return name if version == "v1" else f"{version}.{name}"


def main() -> int:
    parser = parser_of("reference")
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args().check
    try:
        return _check() if only_check else _write()
    except WiringError as error:
        print(f"reference: a context cannot be built: {error}", file=sys.stderr)
        return 2


def _check() -> int:
    found = list(stale(ROOT))
    print("\n".join(found) or "reference: as the services declare it")
    return 1 if found else 0


def _write() -> int:
    for path, text in written(ROOT).items():
        (ROOT / path).write_text(text)
    return 0
