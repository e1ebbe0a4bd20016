"""What a search keeps up to date while it runs: its tables, and the best candidates' models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from kerasnas.experiment import Experiment
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import (
    ControllerCurve,
    ControllerUpdate,
    MostProbable,
    SearchState,
    SizeWindow,
)
from kerasnas.runs.table import write_table
from kerasnas.runs.trials import Trials
from kerasnas.tuners import Controller, Results, Search
from kerasnas.tuners.runners.base import Event, Failed, Finished

_EVERY = 10.0


class Book:
    """Keeps the tables of a search up to date, and only the best candidates' models.

    These are `trials.csv`, `search.json` and, of a controller, `controller.json`: what it learned.

    Args:
        run: The run directory.
        search: Its search, which goes on.
        experiment: The settings.
        headline_gene: See `SearchSpace`.
    """

    def __init__(
        self, run: Path, search: Search, experiment: Experiment, headline_gene: str | None = None
    ) -> None:
        self._paths = RunPaths(run)
        self._headline_gene = headline_gene
        self._search = search
        self._experiment = experiment
        oracle = experiment.search.oracle.propose()
        self._controller = oracle if isinstance(oracle, Controller) else None
        self._written = 0.0
        for half in self._paths.half_models():
            half.unlink(missing_ok=True)  # a kill came in between
        trained = map(TrainingPaths, self._paths.trials.glob("*"))
        self._models = {training.path.name for training in trained if any(_models(training))}

    def on_event(self, event: Event) -> None:
        """Take one event of the loop into account."""
        if isinstance(event, Finished | Failed):
            if isinstance(event, Finished) and any(_models(self._paths.trial(event.id))):
                self._models.add(event.id)
                self._prune()
            if time.monotonic() - self._written > _EVERY:
                self._write()

    def close(self) -> None:
        """Write what is still unwritten, unless the search has lost its directory."""
        if not self._search.closed and self._paths.journal.exists():
            self._write()

    def _write(self) -> None:
        trials, experiment = Trials(Results(self._search.history)), self._experiment
        metrics = [*experiment.criteria, f"test_{experiment.primary_metric}"]
        write_table(self._paths.table, trials, metrics)
        window = experiment.search.window
        SearchState(
            proposed=trials.rejected + len(trials.all),
            rejected=trials.rejected,
            window=SizeWindow(window.rule, window.minimum, window.maximum),
            objectives=tuple(self._search.objectives),
            front=tuple(sorted(trials.front)),
            seconds=round(self._search.elapsed, 1),
            headline_gene=self._headline_gene,
        ).write(self._paths.search)
        if self._controller is not None:
            curve = self._controller.curve(self._search.history)
            updates = tuple(ControllerUpdate(**update._asdict()) for update in curve)
            found = self._controller.most_probable(self._search.history)
            probable = None if found is None else MostProbable(*found)
            ControllerCurve(updates, probable).write(self._paths.controller)
        self._written = time.monotonic()

    def _prune(self) -> None:
        """Delete the models of all but the best candidates, by each score in turn."""
        rankings = [self._search.ranking(name) for name in self._experiment.criteria]
        in_turn = dict.fromkeys(trial.id for row in zip(*rankings, strict=True) for trial in row)
        best = set(list(in_turn)[: self._experiment.search.keep_models])
        for id in self._models - best:
            for model in _models(self._paths.trial(id)):
                model.unlink(missing_ok=True)
        self._models &= best


def _models(trial: TrainingPaths) -> Iterator[Path]:
    """Return the model of a trial, or one of each fold."""
    return trial.path.rglob(trial.model.name)
