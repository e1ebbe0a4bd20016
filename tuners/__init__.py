"""Oracles for KerasTuner and the runners of their trials.

`Search` is the core of every oracle and needs neither KerasTuner nor TensorFlow. The classes called
oracles are plain KerasTuner oracles round it; asking for one imports both.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")

from .controller.algorithm import Controller
from .core.errors import FailuresError, JournalError, LostError, SearchError, TunerError
from .core.genes import Gene, Genes
from .core.history import History
from .core.objective import Objective
from .core.propose import Window
from .core.repair import Repair, repair
from .core.trial import Trial
from .grid import Grid
from .nsga2.algorithm import NSGA2
from .results import Results
from .search import Search

if TYPE_CHECKING:
    from .loop import MedianStop
    from .oracles.controller import ControllerOracle
    from .oracles.grid import GridOracle
    from .oracles.nsga2 import NSGA2Oracle
    from .oracles.random import SizeConstrainedRandomOracle

__all__ = [
    "NSGA2",
    "Controller",
    "ControllerOracle",
    "FailuresError",
    "Gene",
    "Genes",
    "Grid",
    "GridOracle",
    "History",
    "JournalError",
    "LostError",
    "MedianStop",
    "NSGA2Oracle",
    "Objective",
    "Repair",
    "Results",
    "Search",
    "SearchError",
    "SizeConstrainedRandomOracle",
    "Trial",
    "TunerError",
    "Window",
    "repair",
]

if not TYPE_CHECKING:  # a type checker takes any name for one that this function makes
    _HOMES = {
        "ControllerOracle": "oracles.controller",
        "GridOracle": "oracles.grid",
        "MedianStop": "loop",
        "NSGA2Oracle": "oracles.nsga2",
        "SizeConstrainedRandomOracle": "oracles.random",
    }

    def __getattr__(name):
        if name in _HOMES:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, those that are imported when asked for among them."""
    return sorted(__all__)
