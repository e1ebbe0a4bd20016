"""The trials of a search, read from its journal, and how they compare."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.measures import COSTS
from kerasnas.tuners import History, JournalError, Results, Trial
from kerasnas.tuners.core.ranking import points

__all__ = ["Trial", "Trials", "cost_of", "held_out_of", "value_of"]


class Trials:
    """Trials in the order of suggestion, and what they are compared by.

    Args:
        results: Of the search, which may be under way: rankings and the front are those of the
            moment at which they are first asked for. None of a run that has not searched.
    """

    def __init__(self, results: Results | None = None) -> None:
        self._results = results or Results(History())

    @classmethod
    def read(cls, run: Path) -> Trials:
        """Return those of the journal in a run directory, whose search may be under way.

        Raises:
            KerasnasError: There is no journal, or it is damaged.
        """
        try:
            return cls(Results.read(run))
        except JournalError as error:
            raise KerasnasError(str(error)) from error

    @property
    def all(self) -> tuple[Trial, ...]:
        """All of them."""
        return self._results.trials

    @cached_property
    def completed(self) -> tuple[Trial, ...]:
        """Those that were scored, the best by the first score first."""
        return tuple(self._results.ranking(self.scores[0])) if self.scores else ()

    @cached_property
    def failed(self) -> tuple[Trial, ...]:
        """Those that have failed for good."""
        return tuple(trial for trial in self.all if trial.status == "failed")

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of what the search optimises, the most important first."""
        return tuple(name for name, _ in self._results.objectives)

    @property
    def scores(self) -> tuple[str, ...]:
        """Those objectives that are scores, not costs."""
        return tuple(name for name in self.objectives if name not in COSTS)

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the decisions, in the search space's order; empty before the first trial."""
        return tuple(dict.fromkeys(gene.name for gene in self._results.history.genes or ()))

    @cached_property
    def front(self) -> frozenset[int]:
        """Numbers of the completed trials that no other dominates."""
        if not self.completed:
            return frozenset()
        return frozenset(trial.number for trial in self._results.pareto_front())

    def points(self) -> NDArray[np.float64]:
        """Return the objectives of completed trials inside the window, in order of suggestion.

        Returns:
            `(trials, objectives)`, each objective so that less is better.
        """
        inside = [trial for trial in self._results.history.completed() if trial.violation <= 0]
        return points(inside, self._results.objectives)

    @property
    def rejected(self) -> int:
        """Candidates outside the window or the limits, which became no trials."""
        return self._results.rejected

    @property
    def seconds(self) -> float:
        """For which the search has run, over all sessions."""
        return self._results.history.elapsed

    def numbered(self, number: int) -> Trial | None:
        """Return the trial of this number; None where there is none."""
        return self.all[number] if 0 <= number < len(self.all) else None


def cost_of(trial: Trial, name: str) -> float | None:
    """Return one of `kerasnas.measures.COSTS` of a trial; None where it is not known yet."""
    value: float | None = trial.info.get(name)
    return value


def value_of(trial: Trial, name: str) -> float | None:
    """Return a score or a cost of a trial; None where it has none."""
    return cost_of(trial, name) if name in COSTS else trial.metrics.get(name)


def held_out_of(trial: Trial, score: str) -> float | None:
    """Return a score on held-out clips, which nothing is chosen by; None where there is none."""
    return trial.metrics.get(f"test_{score}")
