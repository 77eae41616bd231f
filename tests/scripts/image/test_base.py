"""The stand-in for the base image stands in for nothing else."""

import os
from pathlib import Path

import pytest

from scripts.lib.image.base import NoBase, make_base
from scripts.lib.image.builder import DOCKERFILE


@pytest.mark.parametrize("base", ["python:3.12-slim-bookworm", "python:3.11-slim-trixie", "alpine:3.20"])
def test_another_base_is_refused(tmp_path: Path, base: str) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(f"FROM {base} AS dependencies\n")
    with pytest.raises(NoBase, match=f"begins with {base}"):
        make_base(["false"], os.environ, tmp_path, dockerfile)


def test_a_base_that_is_there_already_is_used(tmp_path: Path) -> None:
    make_base(["true"], os.environ, tmp_path, DOCKERFILE)
    assert list(tmp_path.iterdir()) == []
