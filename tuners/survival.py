"""Which trials survive: NSGA-II's elitist selection, generation by generation.

Deb et al. 2002 (see `pareto`), sections III-C and VI: of the survivors so far and a generation's
newcomers the best by front, then by crowding distance; feasible before infeasible. Deviation: ties
go to the earlier trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .history import History, Trial, trial_id
from .objectives import Objective, points
from .pareto import crowding, sort_fronts


@dataclass(frozen=True)
class Survivors:
    """Trials with what the tournament compares them by.

    Attributes:
        trials: Best front first.
        ranks: Of each, the front among all that were selected from, from 0.
        crowding: Of each, the crowding distance within that front.
    """

    trials: tuple[Trial, ...] = ()
    ranks: tuple[int, ...] = ()
    crowding: tuple[float, ...] = ()


def select(trials: Sequence[Trial], objectives: Sequence[Objective], count: int) -> Survivors:
    """The best `count` of completed trials."""
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


class Generations:
    """The survivors after each generation of one history.

    They are a function of the history alone; what is kept is what need not be computed again. A
    generation is computed anew when another of its trials, or of those before it, has completed.
    """

    def __init__(self, population: int) -> None:
        self._population = population
        self._newcomers: list[tuple[Trial, ...]] = []
        self._survivors: list[Survivors] = []
        self._settled = 0
        self._final = 0  # survivors that no result can change any more

    def settled(self, history: History, generation: int) -> bool:
        """Whether every trial before this generation, counted from 0, has ended for good."""
        while self._settled < generation and self._ended(history, self._settled):
            self._settled += 1
        return self._settled >= generation

    def before(self, history: History, generation: int) -> Survivors:
        """Those of the trials before this generation that have completed by now."""
        self.settled(history, generation)
        for index in range(self._final, generation):
            newcomers = tuple(
                trial for trial in self._trials(history, index) if trial.status == "completed"
            )
            if index < len(self._survivors) and newcomers == self._newcomers[index]:
                continue
            del self._newcomers[index:], self._survivors[index:]
            parents = self._survivors[-1].trials if index else ()
            self._newcomers.append(newcomers)
            self._survivors.append(
                select([*parents, *newcomers], history.objectives, self._population)
            )
        self._final = max(self._final, min(self._settled, generation))
        return self._survivors[generation - 1] if generation else Survivors()

    def _trials(self, history: History, generation: int) -> list[Trial]:
        first = generation * self._population
        return [history.trials[trial_id(first + index)] for index in range(self._population)]

    def _ended(self, history: History, generation: int) -> bool:
        return all(
            trial.status in ("completed", "failed") for trial in self._trials(history, generation)
        )
