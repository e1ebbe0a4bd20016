"""Oracles for KerasTuner and the runners of their trials.

`Search` is the core of every oracle and needs NumPy alone.
"""

from __future__ import annotations

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")

from .errors import JournalError, SearchError, TunerError
from .genes import Gene, Genes
from .history import History, Trial
from .objectives import Objective
from .propose import Window
from .search import Search, read_history

__all__ = [
    "Gene",
    "Genes",
    "History",
    "JournalError",
    "Objective",
    "Search",
    "SearchError",
    "Trial",
    "TunerError",
    "Window",
    "read_history",
]
