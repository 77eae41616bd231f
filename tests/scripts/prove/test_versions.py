"""The version before runs its own code, and is skipped where the history is not there."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from treaty.commits.codec import codec_of
from treaty.domain import Call

from scripts.lib.prove.ground.accounts.sagas import Asked, TooLate, Transfer, transfer
from scripts.lib.prove.versions import BEFORE, NoHistory, Versions, environ_of


def test_the_version_before_runs_its_own_code(tmp_path: Path) -> None:
    try:
        environ = environ_of(BEFORE, tmp_path)
    except NoHistory as reason:
        pytest.skip(str(reason))
    program = "import treaty, scripts.lib.prove.serve as serve; print(treaty.__file__); print(serve.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    assert all(Path(line).is_relative_to(tmp_path) for line in found.stdout.splitlines())


def test_a_commit_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="0123456789abcdef"):
        environ_of("0123456789abcdef", tmp_path)
    assert Versions(skipped="there is no git").summary == "skipped: there is no git"


def test_a_transfer_that_the_version_before_stored_keeps_its_moment() -> None:
    stored: dict[str, Any] = {"transfer": "t", "source": "a", "target": "b", "amount": 5}
    until = datetime(2026, 7, 1, tzinfo=UTC)
    asked = codec_of(Asked).decode({**stored, "until": until})
    _, [_, deadline] = transfer(Transfer(), asked)
    assert deadline == Call(TooLate(transfer="t"), due=until)
