"""Paths as callers may give them."""

from __future__ import annotations

import os

StrPath = str | os.PathLike[str]
"""A string or a `pathlib.Path`, as the functions of the standard library take it."""
