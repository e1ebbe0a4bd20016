"""Which trials survive: NSGA-II's elitist selection, generation by generation.

Deb et al. 2002 (see `pareto`), sections III-C and VI: of the survivors so far and a generation's
newcomers the best by front, then by crowding distance; feasible before infeasible. Deviation: ties
go to the earlier trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..core.history import History
from ..core.objective import Objective
from ..core.pareto import crowding, sort_fronts
from ..core.ranking import points
from ..core.trial import Trial, trial_id


@dataclass(frozen=True)
class Survivors:
    """Trials with what the tournament compares them by.

    Attributes:
        trials: Best front first.
        ranks: Of each, the front among all that were selected from, from 0.
        crowding: Of each, the crowding distance within that front.
        final: All trials that they were selected from have ended for good.
    """

    trials: tuple[Trial, ...] = ()
    ranks: tuple[int, ...] = ()
    crowding: tuple[float, ...] = ()
    final: bool = True


def select(trials: Sequence[Trial], objectives: Sequence[Objective], count: int) -> Survivors:
    """Return the best `count` of completed trials."""
    values = points(trials, objectives)
    violations = np.array([trial.violation for trial in trials])
    chosen: list[int] = []
    ranks: list[int] = []
    distances: list[float] = []
    for rank, front in enumerate(sort_fronts(values, violations)):
        room = count - len(chosen)
        if not room:
            break
        distance = crowding(values[front])
        order = np.argsort(-distance, kind="stable")[:room]
        chosen += front[order].tolist()
        distances += distance[order].tolist()
        ranks += [rank] * len(order)
    return Survivors(tuple(trials[index] for index in chosen), tuple(ranks), tuple(distances))


class _Kept(NamedTuple):
    """A generation's completed trials, whether all its trials have ended, who survived it."""

    newcomers: tuple[Trial, ...]
    complete: bool
    survivors: Survivors


class Generations:
    """The survivors after each generation of one history.

    They are a function of the history alone; what is kept is what need not be computed again. A
    generation is computed anew when another of its trials, or of those before it, has ended.
    """

    def __init__(self, population: int) -> None:
        self._population = population
        self._kept: list[_Kept] = []

    def before(self, history: History, generation: int) -> Survivors:
        """Those of the trials before this generation, counted from 0, that have completed by now.

        All trials before it must have been started.
        """
        survivors = Survivors()
        for index in range(generation):
            if index == len(self._kept) or not self._kept[index].complete:
                self._update(history, index, survivors)
            survivors = self._kept[index].survivors
        return survivors

    def _update(self, history: History, index: int, parents: Survivors) -> None:
        first = index * self._population
        trials = [history.trials[trial_id(first + place)] for place in range(self._population)]
        newcomers = tuple(trial for trial in trials if trial.status == "completed")
        complete = all(trial.status in ("completed", "failed") for trial in trials)
        if index < len(self._kept) and self._kept[index][:2] == (newcomers, complete):
            return
        del self._kept[index:]
        chosen = select([*parents.trials, *newcomers], history.objectives, self._population)
        survivors = replace(chosen, final=parents.final and complete)
        self._kept.append(_Kept(newcomers, complete, survivors))
