"""The software bill of materials of what runs in production: the closure of the dependencies, without the extra dev."""

import json
import subprocess
import sys
from collections.abc import Mapping, Set
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(package: str) -> Set[str]:
    """Returns the canonical names of a package and all that it needs here, extras that nobody asks for left out."""
    found: set[str] = set()
    open: list[tuple[str, frozenset[str]]] = [(package, frozenset())]
    while open:
        name, extras = open.pop()
        found.add(canonicalize_name(name))
        for requirement in _requirements(name, extras):
            if canonicalize_name(requirement.name) not in found or requirement.extras:
                open.append((requirement.name, frozenset(requirement.extras)))
    return found


def _requirements(name: str, extras: Set[str]) -> list[Requirement]:
    try:
        wanted = [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:
        return []
    asked = {"", *extras}
    return [one for one in wanted if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in asked)]


def sbom(pyproject: Path, package: str) -> Mapping[str, Any]:
    """Returns the bill of materials as CycloneDX."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(pyproject)]
    done = subprocess.run([*command, "--output-reproducible"], capture_output=True, text=True, check=True)
    return narrowed(json.loads(done.stdout), closure(package))


def narrowed(bill: Mapping[str, Any], names: Set[str]) -> Mapping[str, Any]:
    """Leaves out the components that are not among the names, and the dependencies of and on them."""
    components = [one for one in bill.get("components", ()) if canonicalize_name(one["name"]) in names]
    kept = {one["bom-ref"] for one in components} | {bill["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", ()) if ref in kept]}
        for one in bill.get("dependencies", ())
        if one["ref"] in kept
    ]
    return {**bill, "components": components, "dependencies": dependencies}
