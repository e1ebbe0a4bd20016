"""Oracles for KerasTuner and the runners of their trials.

`Search` is the core of every oracle and needs NumPy alone; `SizeConstrainedRandomOracle` is a plain
KerasTuner oracle round it, and imports KerasTuner (and so TensorFlow) when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")

from .errors import JournalError, SearchError, TunerError
from .genes import Gene, Genes
from .history import History, Trial
from .objectives import Objective
from .propose import Window
from .search import Search, read_history

if TYPE_CHECKING:
    from .random_search import SizeConstrainedRandomOracle

__all__ = [
    "Gene",
    "Genes",
    "History",
    "JournalError",
    "Objective",
    "Search",
    "SearchError",
    "SizeConstrainedRandomOracle",
    "Trial",
    "TunerError",
    "Window",
    "read_history",
]


def __getattr__(name: str) -> Any:
    if name == "SizeConstrainedRandomOracle":
        from .random_search import SizeConstrainedRandomOracle

        return SizeConstrainedRandomOracle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
