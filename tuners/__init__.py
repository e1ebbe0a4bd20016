"""Oracles for KerasTuner and the runners of their trials.

`Search` is the core of every oracle and needs NumPy alone. The classes called oracles are plain
KerasTuner oracles round it; asking for one imports KerasTuner, and so TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")

from .controller import Controller
from .errors import JournalError, SearchError, TunerError
from .genes import Gene, Genes
from .grid import Grid
from .history import History, Trial
from .nsga2 import NSGA2
from .objectives import Objective
from .propose import Window
from .results import Results
from .search import Search

if TYPE_CHECKING:
    from .controller_oracle import ControllerOracle
    from .grid_oracle import GridOracle
    from .loop import MedianStop
    from .nsga2_oracle import NSGA2Oracle
    from .random_search import SizeConstrainedRandomOracle

__all__ = [
    "NSGA2",
    "Controller",
    "ControllerOracle",
    "Gene",
    "Genes",
    "Grid",
    "GridOracle",
    "History",
    "JournalError",
    "MedianStop",
    "NSGA2Oracle",
    "Objective",
    "Results",
    "Search",
    "SearchError",
    "SizeConstrainedRandomOracle",
    "Trial",
    "TunerError",
    "Window",
]


_LAZY = {
    "ControllerOracle": "controller_oracle",
    "GridOracle": "grid_oracle",
    "MedianStop": "loop",
    "NSGA2Oracle": "nsga2_oracle",
    "SizeConstrainedRandomOracle": "random_search",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
