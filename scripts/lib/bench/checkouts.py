"""The environment of another checkout, which is measured in turn with this one."""

from collections.abc import Mapping
from pathlib import Path


def environ_of(checkout: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment in which Python finds the code of another checkout."""
    paths = [checkout, checkout / "libs", checkout / "libs/contracts"]
    return {**environ, "PYTHONPATH": ":".join(str(path.resolve()) for path in paths), "PYTHONSAFEPATH": "1"}
