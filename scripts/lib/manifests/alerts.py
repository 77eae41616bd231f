"""Finds missing fields in the alert rules. The schemas of Kubernetes do not include the operator's kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.lib.manifests import cluster

FOLDER = "k8s/alerts"
_SEVERITIES = ("warning", "critical")


def rules(root: Path) -> list[dict[str, Any]]:
    """Returns the rules that `kubectl apply -k k8s/alerts` would send."""
    objects = cluster.render(root, FOLDER)
    return [rule for found in objects for group in found["spec"]["groups"] for rule in group["rules"]]


def careless(root: Path) -> Iterator[str]:
    """Yields a fault for each rule without an expression, a severity, a summary or the address of a runbook."""
    for found in cluster.render(root, FOLDER):
        if found["kind"] != "PrometheusRule":
            yield f"{cluster.title(found)}: {FOLDER} may contain only objects of the kind PrometheusRule"
    for rule in rules(root):
        name = rule.get("alert", "a rule")
        if not rule.get("expr"):
            yield f"{name}: expr must be given"
        if rule.get("labels", {}).get("severity") not in _SEVERITIES:
            yield f"{name}: labels.severity must be one of {', '.join(_SEVERITIES)}"
        for annotation in ("summary", "runbook_url"):
            if not rule.get("annotations", {}).get(annotation):
                yield f"{name}: annotations.{annotation} must be given"
