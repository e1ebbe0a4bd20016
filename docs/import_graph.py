"""Draw the import graphs of docs/architecture.md from the code: `python docs/import_graph.py`."""

from __future__ import annotations

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).with_name("architecture.md")
ROOMS = ("kerasnas", "kerasnas.flow", "kerasnas.report", "kerasnas.tuners", "kerasnas.export")


def page(text: str) -> str:
    """Return the page with every graph between its markers drawn anew.

    Args:
        text: The page, with `<!-- graph of ROOM -->` in front of each fenced block.
    """
    graph = grimp.build_graph("kerasnas", exclude_type_checking_imports=True)
    for room in ROOMS:
        drawn = f"<!-- graph of {room} -->\n```mermaid\n{mermaid(graph, room)}\n```"
        text, count = re.subn(
            rf"<!-- graph of {re.escape(room)} -->\n```mermaid\n.*?\n```", drawn, text, flags=re.S
        )
        if count != 1:
            raise SystemExit(f"{PAGE} has {count} graphs of {room}, not one")
    return text


def mermaid(graph: grimp.ImportGraph, room: str) -> str:
    """Return a flow chart of the imports between a room's children, without those implied."""
    children = sorted(graph.find_children(room) - {"kerasnas.__main__"})
    edges = {child: _imported(graph, room, child) for child in children}
    lines = ["flowchart TD"]
    for child, imported in edges.items():
        behind = set[str]().union(*(_reachable(edges, other) for other in imported))
        direct = sorted(imported - behind)
        lines += [f"    {_name(child)} --> {_name(other)}" for other in direct]
        if not imported and not any(child in others for others in edges.values()):
            lines.append(f"    {_name(child)}")
    return "\n".join(lines)


def _imported(graph: grimp.ImportGraph, room: str, child: str) -> set[str]:
    """Return the siblings that a child, or a module inside it, imports."""
    depth = room.count(".") + 2
    modules = {child} | graph.find_descendants(child)
    found = {
        ".".join(target.split(".")[:depth])
        for module in modules
        for target in graph.find_modules_directly_imported_by(module)
        if target.startswith(f"{room}.")
    }
    return found - {child}


def _reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    """Return what is imported from `start` on, over any number of steps, without itself."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in edges[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found


def _name(module: str) -> str:
    return module.rsplit(".", 1)[-1]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
