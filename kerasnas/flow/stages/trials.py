"""The table of trials: `trials.csv` while a search runs, and `kerasnas trials` afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.tables import UNLIMITED, figures_table
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import (
    ControllerCurve,
    ControllerUpdate,
    MostProbable,
    SearchState,
    SizeWindow,
)
from kerasnas.runs.table import write_table
from kerasnas.runs.trials import Trial, Trials, cost_of
from kerasnas.tuners import Controller, Results, Search, repair
from kerasnas.tuners.runners.base import Event, Failed, Finished
from kerasnas.words import words

_EVERY = 10.0

Plain = bool | int | float | str | None
"""A value of a table."""


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
        model = TrainingPaths(Path()).model.name
        for half in self._paths.trials.rglob(f".*-{model}"):
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
        """Write what is still unwritten."""
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
    """The model of a trial, or one of each fold."""
    return trial.path.rglob(trial.model.name)


def table(run: Path, width: int = UNLIMITED) -> RenderableType:
    """Return the trials of a run directory for the screen, from the search's journal.

    Args:
        run: The run directory.
        width: Columns of the screen; see `figures_table`.

    Raises:
        KerasnasError: It is no run directory, or holds no search, or a damaged one.
    """
    read_experiment(run)
    trials = Trials.read(run)
    metrics = list(dict.fromkeys(name for trial in trials.all for name in trial.metrics))
    names = ["trial", "status", *metrics, "bytes", "seconds", "values, and why it failed"]
    rows = [
        [
            f"{'*' if trial.number in trials.front else ''}{trial.number}",
            trial.status,
            *(_shown(name, trial.metrics.get(name)) for name in metrics),
            "" if trial.cost is None else f"{trial.cost:,.0f}",
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            _values(trial),
        ]
        for trial in trials.all
    ]
    return figures_table(
        [words(name) for name in names],
        rows,
        width,
        title=str(run),
        caption="*: no trial dominates it",
        text_last=True,
    )


def _values(trial: Trial) -> str:
    """Return a trial's values, and the reason why it failed, as a cell of the table."""
    values = " ".join(f"{name}={value}" for name, value in trial.values.items())
    return f"{values}\n{trial.message}" if trial.message else values


def trial_rows(trials: Trials) -> list[dict[str, Plain]]:
    """Return a row for each trial, all of the same columns; None where a trial has no value.

    Columns are `trial`, `status`, scores and costs by their names, `bytes` by the window's rule,
    `seconds`, `front` (whether no trial dominates it), `error`, and the genes.
    """
    metrics = dict.fromkeys(name for trial in trials.all for name in trial.metrics)
    costs = [name for name in measures.COSTS if name not in metrics]
    genes = dict.fromkeys(name for trial in trials.all for name in trial.values)
    return [
        {
            **{name: trial.values.get(name) for name in genes},
            "trial": trial.number,
            "status": trial.status,
            **{name: trial.metrics.get(name) for name in metrics},
            **{name: cost_of(trial, name) for name in costs},
            "bytes": trial.cost,
            "seconds": trial.seconds,
            "front": trial.number in trials.front,
            "error": trial.message,
        }
        for trial in trials.all
    ]


def details(run: Path, number: int) -> str:
    """All that the journal of a run directory holds of one trial, with the traceback of a failure.

    Raises:
        KerasnasError: It is no run directory, or has no such trial, or a damaged search.
    """
    read_experiment(run)
    trials = Trials.read(run)
    trial = trials.numbered(number)
    if trial is None:
        raise KerasnasError(f"{run} has no trial {number}: there are {len(trials.all)}, from 0")
    described = {
        "trial": trial.number,
        "status": trial.status,
        **trial.values,
        "bytes": trial.cost,
        **trial.metrics,
        **{name: value for name, value in trial.info.items() if name not in trial.metrics},
        "why it failed": trial.message,
    }
    lines = [f"{name}: {value}" for name, value in described.items() if value is not None]
    return "\n".join([*lines, *([trial.traceback.rstrip()] if trial.traceback else [])])


def repair_journal(run: Path) -> str:
    """Cut the damaged journal of a run directory before its first bad line, and keep a copy.

    Returns:
        What was kept, what was dropped, and where the journal lies as it was.

    Raises:
        KerasnasError: It is no run directory.
        JournalError: Nothing can be kept, or another process works in the run.
    """
    read_experiment(run)
    path = RunPaths(run).journal
    return f"{path}: {repair(path)}"


def _shown(name: str, value: float | None) -> str:
    """A metric as the table has it; empty where there is none or it was not finite."""
    if value is None:
        return ""
    return f"{value:,.0f}" if name in measures.COSTS else f"{value:.4f}"
