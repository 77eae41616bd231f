"""The tutorial is followed to the letter, in a copy of the checkout: it writes files, changes them, runs commands."""

from pathlib import Path

import pytest

from scripts.lib import npm
from tests.checkouts import Checkout, copy_checkout
from tests.docs.markdown import TUTORIAL, Block, blocks

WRITTEN = ("services/library", "tests/services/library")


def _change(block: Block, checkout: Checkout) -> None:
    assert block.text.startswith(f"--- a/{block.changes}\n"), f"{block}: the diff is not of {block.changes}"
    diff = checkout.root.parent / "change.diff"
    diff.write_text(block.text)
    checkout.must("git", "apply", diff)


def _write(block: Block, path: Path) -> None:
    assert not path.exists(), f"{block}: {block.file} is there already; show what changes in it"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)


def _follow(block: Block, checkout: Checkout) -> None:
    match block:
        case Block(file=file) if file:
            _write(block, checkout.root / file)
        case Block(changes=file, language="diff") if file:
            _change(block, checkout)
        case Block(language="bash" | "console"):
            for command in block.commands:
                checkout.must("bash", "-euo", "pipefail", "-c", command)
        case _:
            raise AssertionError(f"{block}: nobody can tell what to do with this block: name its file above it")


@pytest.mark.slow
@pytest.mark.skipif(not npm.available(), reason="Buf comes from npm; scripts/protos --check insists on it")
def test_the_tutorial_can_be_followed_to_the_letter(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path)
    for page in TUTORIAL:
        for block in blocks(page):
            _follow(block, checkout)
    checkout.must("ruff", "check", *WRITTEN)
    checkout.must("ruff", "format", "--check", *WRITTEN)
    checkout.must("mypy", *WRITTEN)
    checkout.must("lint-imports", "--no-cache")
    for check in ("protos", "manifests", "reference"):
        checkout.must(f"scripts/{check}", "--check")


def _page(folder: Path, text: str) -> list[Block]:
    page = folder / "page.md"
    page.write_text(text)
    return list(blocks(page))


def test_a_block_that_nobody_is_told_what_to_do_with_is_noticed(tmp_path: Path) -> None:
    [stray] = _page(tmp_path, "Look:\n```python\na = 1\n```\n")
    with pytest.raises(AssertionError, match="name its file above it"):
        _follow(stray, Checkout(tmp_path))


def test_a_change_of_what_is_not_there_is_noticed(tmp_path: Path) -> None:
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-b = 1\n+b = 2\n"
    file, change = _page(tmp_path, f"`a.py`:\n```python\na = 1\n```\n\nIn `a.py`:\n```diff\n{diff}```\n")
    checkout = Checkout(tmp_path / "checkout")
    _follow(file, checkout)
    with pytest.raises(AssertionError, match="patch does not apply"):
        _follow(change, checkout)


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    [command] = _page(tmp_path, "```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="failed"):
        _follow(command, Checkout(tmp_path))
