"""The files that say what each context stores, so that a rename in memory cannot change it silently."""

from dataclasses import replace
from pathlib import Path

from treaty.cli.check import changed_shapes, shapes
from treaty.cli.project import find_project

from scripts.lib.paths import ROOT

PROJECT = find_project(ROOT)


def test_the_stored_shapes_are_those_that_their_files_say() -> None:
    assert list(changed_shapes(PROJECT)) == []


def test_a_changed_a_missing_and_a_spare_file_are_found(tmp_path: Path) -> None:
    elsewhere = replace(PROJECT, root=tmp_path)
    for path, text in shapes(elsewhere).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace('"product-created.v1"', '"product-made.v1"'))
    folder = tmp_path / PROJECT.shapes
    (folder / "commerce.ordering.json").unlink()
    (folder / "commerce.gifts.json").write_text("{}")
    changed, missing, spare = changed_shapes(elsewhere)
    assert changed.startswith("tests/golden/commerce.catalog.json differs from the code")
    assert missing.startswith("tests/golden/commerce.ordering.json is missing: write it with `treaty check --accept`")
    assert spare == "tests/golden/commerce.gifts.json belongs to no context"
