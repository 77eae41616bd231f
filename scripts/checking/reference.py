"""Writes the pages of docs/reference that follow from the code: the context map, and who publishes which events."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from treaty.cli.context_map import page, services
from treaty.service import Service

from scripts.checking import npm

CONTEXT_MAP, EVENTS = PAGES = ("docs/reference/context-map.md", "docs/reference/events.md")
HEAD = "| context | publishes |\n|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(\|.*\n)*")


def written(root: Path) -> Mapping[str, str]:
    """Returns the pages as they should be, by path."""
    found = services()
    table = HEAD + "".join(_rows(found))
    events, tables = _TABLE.subn(table, (root / EVENTS).read_text())
    if tables != 1:
        raise SystemExit(f"{EVENTS} must have one table that begins with {HEAD.splitlines()[0]}")
    return {CONTEXT_MAP: "\n".join(page(found)) + "\n", EVENTS: events}


def stale(root: Path) -> Iterator[str]:
    """Pages that are missing or differ from what the code says."""
    for path, text in written(root).items():
        if not (root / path).exists() or (root / path).read_text() != text:
            yield f"{path} differs from what the services declare: run scripts/reference"


def _rows(found: Sequence[Service]) -> Iterator[str]:
    for service in found:
        names: list[str] = [_name(kind) for kind in service.publishes]
        if names:
            yield f"| {service.name} | {', '.join(names)} |\n"


def _name(kind: type) -> str:
    """The name by which a message is bound, without the context and `v1`: PaymentReceived, or v2.PaymentReceived."""
    full: str = kind.DESCRIPTOR.full_name  # type: ignore[attr-defined]
    version, name = full.rsplit(".", 2)[1:]
    return name if version == "v1" else f"{version}.{name}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, report what is stale")
    if parser.parse_args().check:
        found = list(stale(npm.ROOT))
        print("\n".join(found) or "reference: as the services declare it")
        return 1 if found else 0
    for path, text in written(npm.ROOT).items():
        (npm.ROOT / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
