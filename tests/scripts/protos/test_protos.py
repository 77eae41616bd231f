"""Contracts are generated, tidy and compatible, and every check is seen to fail on a planted fault."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from treaty.cli.project import Project
from treaty.cli.protos import Broken, renew, stale

from scripts.lib import npm, protos
from scripts.lib.paths import ROOT

pytestmark = pytest.mark.slow
needs_npm = pytest.mark.skipif(not npm.available(), reason="Buf comes from npm; scripts/protos --check insists on it")

CONTRACTS = "libs/contracts"
EVENTS = "protos/commerce/inventory/v1/inventory_events.proto"
MODULE = "libs/contracts/commerce/inventory/v1/inventory_events_pb2.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the contracts to plant faults in."""
    for folder in ("protos", "libs/treaty/include", CONTRACTS):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def of(root: Path) -> Project:
    return Project(root=root, contracts=CONTRACTS)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@needs_npm
def test_the_committed_contracts_have_no_fault() -> None:
    assert protos.faults(of(ROOT)) == []


def test_a_generated_file_edited_by_hand_is_found(root: Path) -> None:
    replace(root / MODULE, "DO NOT EDIT", "EDITED")
    assert list(stale(of(root))) == [f"{MODULE} differs from what its proto says"]


def test_a_generated_file_that_is_missing_is_found(root: Path) -> None:
    (root / MODULE).unlink()
    assert list(stale(of(root))) == [f"{MODULE} is missing"]


def test_a_generated_file_left_behind_is_found(root: Path) -> None:
    shutil.copy(root / MODULE, root / "libs/contracts/old_pb2.py")
    assert list(stale(of(root))) == ["libs/contracts/old_pb2.py comes from no proto"]


def test_a_proto_changed_without_generating_is_found(root: Path) -> None:
    replace(root / EVENTS, "string reason = 3;", "string motive = 3;")
    assert f"{MODULE} differs from what its proto says" in stale(of(root))


@needs_npm
@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("string reason = 3;", "string Reason = 3;", "lower_snake_case"),
        ("  // Why not, for people.\n", "", "non-empty comment"),
        ("  // Why not, for people.\n", "  // buf:lint:ignore COMMENT_FIELD\n", "non-empty comment"),
        ("package commerce.inventory.v1;", "package commerce.inventory.v2;", "must be within a directory"),
        ("string reason = 3;", "string   reason=3;", "+  string reason = 3;"),
    ],
    ids=["name", "no comment", "finding switched off", "folder", "layout"],
)
def test_an_untidy_proto_is_found(root: Path, old: str, new: str, finding: str) -> None:
    replace(root / EVENTS, old, new)
    assert finding in "\n".join(protos.untidy(root))


def remove_field(root: Path) -> None:
    replace(root / EVENTS, "  string reason = 3;\n", "")


def renumber_field(root: Path) -> None:
    replace(root / EVENTS, "string reason = 3;", "string reason = 4;")


def remove_file(root: Path) -> None:
    (root / EVENTS).unlink()


@needs_npm
@pytest.mark.parametrize("change", [remove_field, renumber_field, remove_file])
def test_a_breaking_change_is_found(root: Path, change: Callable[[Path], None]) -> None:
    change(root)
    assert EVENTS.removeprefix("protos/") in "\n".join(protos.incompatible(root))


@needs_npm
def test_an_added_field_breaks_nothing(root: Path) -> None:
    replace(root / EVENTS, "string reason = 3;", "string reason = 3;\n  // Who cancelled it.\n  string actor = 4;")
    assert list(protos.incompatible(root)) == []


def test_a_missing_baseline_is_found(root: Path) -> None:
    (root / protos.BASELINE).unlink()
    assert "is missing" in next(protos.incompatible(root))


@needs_npm
def test_a_renewed_baseline_accepts_the_change(root: Path) -> None:
    remove_field(root)
    protos.renew_baseline(root)
    assert list(protos.incompatible(root)) == []


def test_generating_renews_and_removes(root: Path) -> None:
    shutil.copy(root / MODULE, root / "libs/contracts/old_pb2.py")
    (root / MODULE).unlink()
    renew(of(root))
    assert list(stale(of(root))) == []


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_typo_changes_nothing_and_is_named_without_a_traceback(root: Path) -> None:
    replace(root / EVENTS, "message StockAllocated {", "mesage StockAllocated {")
    before = _files(root / CONTRACTS)
    with pytest.raises(Broken, match=r"inventory_events\.proto:\d+:\d+: "):
        renew(of(root))
    assert _files(root / CONTRACTS) == before
    assert [path.name for path in (root / "libs").iterdir() if path.name.startswith(".")] == []
