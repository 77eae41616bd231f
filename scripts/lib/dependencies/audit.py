"""Looks up the pinned dependencies in the advisories of PyPI. A lookup that was not possible is not a clean one."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any


class Outcome(IntEnum):
    """The outcomes, with the code that the command ends with."""

    CLEAN = 0
    FOUND = 1
    BLIND = 2


@dataclass(frozen=True, slots=True)
class Advisory:
    """A known vulnerability of a pinned version, and the versions without it."""

    name: str
    version: str
    id: str
    fixed: Sequence[str]

    def __str__(self) -> str:
        mended = f"update to {' or '.join(self.fixed)}" if self.fixed else "there is no version without it"
        return f"{self.name} {self.version} has {self.id}: {mended}"


@dataclass(frozen=True, slots=True)
class Audit:
    """The advisories that were found, and the dependencies that could not be looked up."""

    advisories: Sequence[Advisory] = ()
    unknown: Sequence[str] = ()
    clean: int = 0

    @property
    def outcome(self) -> Outcome:
        if self.advisories:
            return Outcome.FOUND
        return Outcome.BLIND if self.unknown or not self.clean else Outcome.CLEAN


def audit(constraints: Path) -> Audit:
    """Audits the versions in a constraints file with pip-audit."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(constraints), "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return Audit(unknown=[done.stderr.strip().rpartition("\n")[2] or "pip-audit printed nothing"])
    return judged(found["dependencies"])


def judged(dependencies: Sequence[Mapping[str, Any]]) -> Audit:
    """Sorts what pip-audit says of each dependency. It ends with 0 for those that it skipped."""
    advisories = [
        Advisory(one["name"], one["version"], vulnerability["id"], vulnerability.get("fix_versions", ()))
        for one in dependencies
        for vulnerability in one.get("vulns", ())
    ]
    unknown = [one["name"] for one in dependencies if "vulns" not in one]
    return Audit(advisories, unknown, sum("vulns" in one and not one["vulns"] for one in dependencies))
