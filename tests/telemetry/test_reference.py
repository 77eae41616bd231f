"""The reference page names every metric there is, and no other."""

import re
from pathlib import Path

from treaty.telemetry.metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md"


def test_the_reference_lists_the_metrics_with_their_units() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| (\w+) \| (\S+) \|", PAGE.read_text(), re.MULTILINE)
    assert {(name, unit) for name, _, unit in rows} == {(name, metric.unit) for name, metric in METRICS.items()}
    assert {name for name, kind, _ in rows if kind == "histogram"} == {n for n, m in METRICS.items() if m.buckets}
