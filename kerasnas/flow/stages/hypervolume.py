"""How much of the objectives' space a search dominates, candidate after candidate.

The volume is a share of the box between the best and the worst values that the search and the
random search beside it have met, so that both are measured alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Hypervolume
from kerasnas.runs.trials import Trials
from kerasnas.tuners.core.pareto import hypervolume

_POINTS = 60


def measure(run: Path) -> None:
    """Write `hypervolume.json` for a search of several objectives; of one there is nothing to say.

    Args:
        run: The run directory, its search begun or not; `random/` in it holds the search to compare
            with, if there is one.
    """
    paths = RunPaths(run)
    if not paths.journal.exists():
        return
    searches = {"search": Trials.read(run)}
    if paths.random.journal.exists():
        searches["random"] = Trials.read(paths.random.path)
    if len(searches["search"].objectives) < 2:
        return
    found = {name: trials.points() for name, trials in searches.items()}
    if not all(len(each) for each in found.values()):
        return
    everything = np.concatenate(list(found.values()))
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = np.where(high > low, high - low, 1)
    curves = {}
    for name, each in found.items():
        counts = np.unique(np.linspace(1, len(each), min(_POINTS, len(each))).astype(int))
        scaled, bound = (each - low) / scale, [1.0] * each.shape[1]
        curves[name] = tuple((int(n), hypervolume(scaled[:n], bound)) for n in counts)
    Hypervolume(curves).write(paths.hypervolume)
