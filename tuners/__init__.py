"""Oracles for KerasTuner and the runners of their trials.

`Search` is the core of every oracle and needs NumPy alone. `SizeConstrainedRandomOracle` is a plain
KerasTuner oracle round it; asking for it imports KerasTuner, and so TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")

from .errors import JournalError, SearchError, TunerError
from .genes import Gene, Genes
from .history import History, Trial
from .objectives import Objective
from .propose import Window
from .results import Results
from .search import Search

if TYPE_CHECKING:
    from .loop import MedianStop
    from .random_search import SizeConstrainedRandomOracle

__all__ = [
    "Gene",
    "Genes",
    "History",
    "JournalError",
    "MedianStop",
    "Objective",
    "Results",
    "Search",
    "SearchError",
    "SizeConstrainedRandomOracle",
    "Trial",
    "TunerError",
    "Window",
]


_LAZY = {"MedianStop": "loop", "SizeConstrainedRandomOracle": "random_search"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
