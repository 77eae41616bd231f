"""The runner of the tests: also a test that ends its whole process is one failure, and never a run without an end."""

import asyncio
import sys
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT
from scripts.lib.test.__main__ import FAST

TESTS = """
import os, pytest

@pytest.mark.parametrize("number", range(20))
def test_number(number):
    if number == 7:
        os._exit(139)
"""


@pytest.mark.slow
async def test_a_test_that_ends_its_process_is_a_failure_and_the_run_ends(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    infra\n    slow\n")
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_numbers.py").write_text(TESTS)
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.lib.test", FAST, f"--rootdir={tmp_path}", f"-c{tmp_path / 'pytest.ini'}"),
        *(str(tmp_path), "-p", "no:cacheprovider"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await run.communicate()
    assert run.returncode == 1, printed.decode()
    assert "crashed while running" in printed.decode()
    assert "test_numbers.py::test_number[7]" in printed.decode()
