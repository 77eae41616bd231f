"""What the code reports is in the table of metrics, of the kind and with the attributes that stand there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import treaty
from treaty.telemetry.metrics import METRICS

KINDS = {"count": "counter", "measure": "histogram", "gauge": "gauge"}


def reported() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Yields (name, kind, attributes) of every metric that the toolkit reports."""
    for path in Path(treaty.__file__ or "").parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KINDS:
                match node.args:
                    case [ast.Constant(value=str(name)), *_] if "." in name:
                        by = frozenset(keyword.arg or "" for keyword in node.keywords)
                        yield name, KINDS[node.func.attr], by


def test_the_table_knows_every_metric_that_is_reported() -> None:
    found = set(reported())
    assert len(found) > 20
    known = {(name, metric.kind, frozenset(metric.by)) for name, metric in METRICS.items()}
    assert found - known == set()
