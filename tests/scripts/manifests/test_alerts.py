"""Every alert rule asks for a metric that there is, under its name in Prometheus, and leads to what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
from treaty.telemetry.metrics import METRICS, Metric

from scripts.lib import npm
from scripts.lib.manifests import alerts
from scripts.lib.paths import ROOT

from .conftest import Plant

pytestmark = pytest.mark.skipif(not npm.available(), reason="kubectl comes from npm")

RULES = "k8s/alerts/rules.yaml"
_NAME = re.compile(r"\b(?:treaty|rpc)_[a-z_]+\b")


def names(metric: str, known: Metric) -> set[str]:
    """The series of a metric in Prometheus, as the OTLP translation names them: the unit, then what kind it is."""
    base = metric.replace(".", "_") + ("_seconds" if known.unit == "s" else "")
    if known.kind == "histogram":
        return {f"{base}_{part}" for part in ("bucket", "count", "sum")}
    return {f"{base}_total"} if known.kind == "counter" else {base}


def labels() -> set[str]:
    by = {dimension for known in METRICS.values() for dimension in (*known.dimensions, *known.always)}
    return {label.replace(".", "_") for label in by}


def unknown(rule: dict[str, Any]) -> set[str]:
    """The names in a rule that no metric and no attribute of one has."""
    series = {name for metric, known in METRICS.items() for name in names(metric, known)}
    return set(_NAME.findall(rule["expr"])) - series - labels()


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    return alerts.rules(ROOT)


def test_every_rule_asks_for_a_metric_that_there_is(rules: list[dict[str, Any]]) -> None:
    assert {rule["alert"]: unknown(rule) for rule in rules} == {rule["alert"]: set() for rule in rules}


@pytest.mark.parametrize("wrong", ["treaty_follower_lag", "treaty_commit_unknown", "treaty_saga_stuck_total"])
def test_a_name_without_its_unit_or_kind_is_noticed(wrong: str) -> None:
    assert unknown({"expr": f"max({wrong}) > 1"}) == {wrong}


def test_every_rule_leads_to_a_section_of_a_page(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        titles = re.findall(r"^## (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor in {title.lower().replace(" ", "-") for title in titles}, rule["alert"]


def test_every_rule_is_on_the_page(rules: list[dict[str, Any]]) -> None:
    page = (ROOT / "docs/how-to/respond-to-alerts.md").read_text()
    assert {rule["alert"] for rule in rules} == set(re.findall(r"`(Treaty\w+)`", page))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("severity: critical", "severity: bad", "TreatyNotReady: labels.severity must be one of warning, critical"),
        ("            summary:", "            text:", "TreatyNotReady: annotations.summary must be given"),
        ("runbook_url", "runbook", "TreatyNotReady: annotations.runbook_url must be given"),
        ("kind: PrometheusRule", "kind: ConfigMap", "k8s/alerts may contain only objects of the kind PrometheusRule"),
    ],
)
def test_a_careless_rule_is_found(root: Path, plant: Plant, old: str, new: str, finding: str) -> None:
    plant(RULES, old, new)
    assert finding in "\n".join(alerts.careless(root))
