"""Golden files: what others rely on, or what lies on disk already, written down and compared."""

import json
import os
from pathlib import Path
from typing import Any

FLAG = "REGENERATE_GOLDEN"


def matches_golden(path: Path, made: Any) -> None:
    """Expects what the file says. With REGENERATE_GOLDEN=1 in the environment the file is written instead."""
    text = json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get(FLAG) == "1":
        path.write_text(text)
    assert path.exists(), f"{path.name} is missing: run the test once with {FLAG}=1 and read what it wrote"
    assert json.loads(path.read_text()) == json.loads(text), (
        f"{path.name} differs from what the code makes. What is stored or published already has the old form: "
        f"keep the name and add an upcast or a new version. If the change is compatible (a new type, a new state), "
        f"run the test with {FLAG}=1 and review the difference."
    )
