"""A small checkout with four contexts, for planting faults in its manifests, Dockerfile and Tiltfile."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.lib.manifests import kustomization
from scripts.lib.paths import ROOT

Plant = Callable[[str, str, str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s", ignore=shutil.ignore_patterns("needs"))
    for name in ("Tiltfile", "pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "libs").mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / "libs" / name, tmp_path / "libs")
    for name in ("ordering", "inventory", "payments", "shipping"):
        context = tmp_path / "services/commerce" / name
        context.mkdir(parents=True)
        (context / "service.py").touch()
    kustomization.write(tmp_path)
    return tmp_path


@pytest.fixture
def plant(root: Path) -> Plant:
    """Replaces a text in a file of the checkout, wherever it occurs there."""

    def replace(name: str, old: str, new: str) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return replace
