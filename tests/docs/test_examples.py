"""The examples run by themselves, as a reader would run them."""

import subprocess
import sys

import pytest

from scripts.lib.paths import ROOT


@pytest.mark.slow
def test_the_example_in_one_file_runs_alone() -> None:
    command = [sys.executable, "-I", "examples/embedded.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "request-1: emma is with ann, at version 1",
        "request-1: emma is with ann, at version 1",
        "request-2: emma is with ann",
        "read model: [Loan(book='emma', reader='ann')]",
    ]


def test_the_example_in_one_file_is_short() -> None:
    lines = (ROOT / "examples/embedded.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 70
