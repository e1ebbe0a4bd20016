"""Pieces of YAML."""

import json


def indented(lines: list[str]) -> str:
    """Return lines of a section."""
    return "".join(f"  {line}\n" for line in lines)


def quoted(text: str | None) -> str:
    """Return text as a YAML scalar that holds anything: JSON's are."""
    return json.dumps(text, ensure_ascii=False)
