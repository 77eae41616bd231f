"""What a page of documentation holds: fenced blocks, and where they belong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TUTORIAL = (ROOT / "docs/tutorial.md", ROOT / "docs/tutorial-growing.md")
"""The pages that are followed step by step, in this order."""

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_WHOLE, _PART = re.compile(r"^`([\w./-]+)`:\n\Z", re.MULTILINE), re.compile(r"^In `([\w./-]+)`:\n\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    "`path`:" right above it, or a title, says that it is a file; "In `path`:" says that it changes one.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str = ""
    changes: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What a reader would type: every line of bash, or what stands behind the $ of a console."""
        if self.language == "console":
            return [line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ ")]
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _FENCE.finditer(text):
        before = text[: found.start()]
        whole, part, title = _WHOLE.search(before), _PART.search(before), _TITLE.search(found[2])
        yield Block(
            page=page,
            line=before.count("\n") + 1,
            language=found[1],
            text=found[3],
            file=whole[1] if whole else title[1] if title else "",
            changes=part[1] if part else "",
        )
