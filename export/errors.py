"""Errors of the export."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import ExportResult


class ExportError(Exception):
    """A model, a file or a setting cannot be used; the message says where and what to do."""


class CheckFailed(ExportError):  # noqa: N818 - it is a verdict, not a fault
    """Files were written, but a check on them failed."""

    def __init__(self, message: str, result: ExportResult) -> None:
        super().__init__(message)
        self.result = result


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 input`, `2 inputs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
