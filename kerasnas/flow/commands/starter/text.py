"""Pieces of YAML."""

import json
from typing import Any


def indented(lines: list[str]) -> str:
    """Return lines of a section."""
    return "".join(f"  {line}\n" for line in lines)


def quoted(value: Any) -> str:
    """Return a value as YAML on one line, text in quotes, which hold anything: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
