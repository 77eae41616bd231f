"""The drawing of the toolkit's packages, made from its imports."""

from collections.abc import Mapping, Sequence

import grimp

HEAD = "<!-- Written by scripts/reference from the imports. -->\n```mermaid\n"
TAIL = "```\n"


def drawing() -> str:
    """Returns the packages and their imports; an arrow that follows from other arrows is left out."""
    arrows = _needed(_arrows())
    lines = [f"    {_short(a)} --> {_short(b)}\n" for a in sorted(arrows) for b in sorted(arrows[a])]
    return f"{HEAD}flowchart TD\n{''.join(lines)}{TAIL}"


def _arrows() -> Mapping[str, set[str]]:
    """Returns, by each module or package right below `treaty`, the others that it imports."""
    graph = grimp.build_graph("treaty")
    rooms = sorted(graph.find_children("treaty"))
    owner = {module: room for room in rooms for module in (room, *graph.find_descendants(room))}
    arrows: dict[str, set[str]] = {room: set() for room in rooms}
    for module, room in owner.items():
        for imported in graph.find_modules_directly_imported_by(module):
            if owner.get(imported, room) != room:
                arrows[room].add(owner[imported])
    return arrows


def _needed(arrows: Mapping[str, set[str]]) -> Mapping[str, Sequence[str]]:
    """Returns the arrows that no longer way replaces (the transitive reduction); there are no circles."""
    return {
        a: [b for b in beyond if not any(b in _reached(arrows, c) for c in beyond - {b})]
        for a, beyond in arrows.items()
    }


def _reached(arrows: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        for room in arrows[left.pop()] - found:
            found.add(room)
            left.append(room)
    return found


def _short(room: str) -> str:
    return room.removeprefix("treaty.")
