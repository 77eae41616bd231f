"""The screen of `scripts/up`: one line for each thing that happens, and advice on what to try first."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from rich.console import Console
from rich.text import Text

from scripts.lib.grammar import counted
from scripts.lib.paths import ROOT
from scripts.lib.up.calls import method_of
from scripts.lib.up.domains import context_of

WIDTH = 80

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


class Screen:
    """Prints for a person: at most 80 columns wide, or as wide as the terminal."""

    def __init__(self, contexts: Sequence[str], console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._wide = self._console.width if self._console.is_terminal else WIDTH
        self._colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(contexts)}

    def say(self, who: str, text: str) -> None:
        """Prints one line: the time, who it is about, and the text. It is cut where the screen ends."""
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        line = Text.assemble(
            (f"{now} ", "dim"), (f"{who.rpartition('.')[2]:<13} ", self._colours.get(who, "bold")), text
        )
        line.truncate(self._wide, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)

    def lines(self, texts: Iterator[str]) -> None:
        for text in texts:
            self._console.print(text, markup=False, soft_wrap=True)


def advice(
    addresses: Mapping[str, str], systems: Mapping[str, int], example: Any, logs: Path, traces: str
) -> Iterator[str]:
    """Yields the lines that say what runs, and what to try first."""
    yield f"ready: {counted(len(addresses), 'context')}. Ctrl-C ends everything."
    yield ""
    for name, address in addresses.items():
        yield f"  {name:<26} {address}"
    for name, port in systems.items():
        yield f"  {name:<26} 127.0.0.1:{port} (simulated)"
    yield ""
    yield "Try this first, in another terminal:"
    yield ""
    yield from (f"  {line}" for line in (command(example) if example is not None else _list_methods(addresses)))
    yield ""
    yield f"  {'events':<8} Each is a line below. ./treaty audit looks for lost ones."
    yield f"  {'a trace':<8} {traces}"
    yield f"  {'look':<8} ./treaty --help    docs/how-to/look-into-a-context.md"
    yield f"  {'change':<8} Save a file in services/: its context starts again."
    yield f"  {'logs':<8} {logs.relative_to(ROOT)}"
    yield ""


def command(request: Any) -> Sequence[str]:
    """Returns the `./treaty call` of a request, in lines of at most 76 columns, as they can be typed into a shell."""
    named = json_format.MessageToDict(request, preserving_proto_field_name=True)
    text = shlex.quote(json.dumps(named, ensure_ascii=False))
    first, *rest = _pieces(text)
    lines = [f"./treaty call {context_of(request)} {method_of(request).name} {first}"]
    for piece in rest:  # a line may end inside the quotes, where JSON has space
        if len(lines[-1]) + 1 + len(piece) > WIDTH - 4:
            lines.append(f"  {piece}")
        else:
            lines[-1] += f" {piece}"
    return lines


def _list_methods(addresses: Mapping[str, str]) -> Sequence[str]:
    """Returns the command to try where no domain brings an example."""
    return [f"./treaty call {name}" for name in list(addresses)[:1]] or ["./treaty contexts"]


def _pieces(text: str) -> Iterator[str]:
    """Yields JSON in pieces between which a line may end: after a comma that is in no string."""
    quoted, begin = False, 0
    for at, letter in enumerate(text):
        if letter == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif letter == "," and not quoted:
            yield text[begin : at + 1].strip()
            begin = at + 1
    yield text[begin:].strip()
