"""Paths as callers may give them."""

from __future__ import annotations

import os
from pathlib import Path

StrPath = str | os.PathLike[str]
"""A string or a `pathlib.Path`, as the functions of the standard library take it."""


def expanded(given: StrPath) -> Path:
    """Return a path with ~ and $VARIABLES replaced."""
    return Path(os.path.expandvars(given)).expanduser()


def path_or_none(given: StrPath | None) -> Path | None:
    """Return a path that may be left out, as a `Path`."""
    return None if given is None else Path(given)
