"""English that a stranger reads once: turns that have to be read twice are found in prose, docstrings and messages."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT

TURNS = {
    r"\b[Tt]ells? whether\b": "Returns whether",
    r"\b(anew|afresh)\b": "again, or: a new …",
    r"\b([Ww]hatever|[Ww]hoever)\b": "name the thing or the person",
    r"\bin vain\b": "without effect",
    r"\bhenceforth|\bthereof\b|\bwherein\b|\bhitherto\b|\blest\b": "a plainer word",
    r"^(What|Those that|That which|Whose) ": "begin with the noun: `The commands that …`, not `What …`",
    r"^(Learns|Notes|Knows|Wants|Says|Tells) ": "say what it does: reads, records, has, must, returns, sends",
}
"""Turns of phrase, and what to write instead. `^` is the beginning of a docstring, a comment or a message."""

FOLDERS = ("libs/treaty", "services", "scripts")
_GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def riddles(texts: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Yields (line, the words, what to write instead)."""
    for line, text in texts:
        for turn, instead in TURNS.items():
            for found in re.finditer(turn, text):
                yield line, found[0], instead


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yields (line, text) of every docstring, comment and message."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value.strip()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def prose_texts(page: str) -> Iterator[tuple[int, str]]:
    """Yields (line, text) of every line of prose; code is left out."""
    prose = _CODE.sub(lambda code: "\n" * code[0].count("\n"), page)
    for number, line in enumerate(prose.splitlines(), 1):
        yield number, line.strip("> -#*|")


def _modules() -> list[Path]:
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if not _GENERATED.search(path.name)]


def _pages() -> list[Path]:
    return [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def _found(path: Path, texts: Iterator[tuple[int, str]]) -> list[str]:
    name = path.relative_to(ROOT)
    return [f"{name}:{line}: {words!r}: {instead}" for line, words, instead in riddles(texts)]


def test_modules_are_written_in_plain_english() -> None:
    modules = _modules()
    assert len(modules) > 150
    assert [fault for path in modules for fault in _found(path, python_texts(path.read_text()))] == []


def test_pages_are_written_in_plain_english() -> None:
    assert [fault for path in _pages() for fault in _found(path, prose_texts(path.read_text()))] == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('def f() -> bool:\n    """Tells whether it is open."""\n', "Tells whether"),
        ("a = 1  # whatever comes\n", "whatever"),
        ('raise ValueError("made anew")\n', "anew"),
        ('"""What a client may ask."""\n', "What "),
    ],
)
def test_a_planted_riddle_is_found(source: str, words: str) -> None:
    assert words in [found for _, found, _ in riddles(python_texts(source))]


def test_a_planted_riddle_on_a_page_is_found_and_code_is_left_alone() -> None:
    page = "It is built anew.\n\n```python\nanew = 1\n```\nand `whatever`\n"
    assert [(line, found) for line, found, _ in riddles(prose_texts(page))] == [(1, "anew")]
