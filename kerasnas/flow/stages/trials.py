"""The table of trials: `trials.csv` while a search runs, and `kerasnas trials` afterwards."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import write_atomically, write_json
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.tables import UNLIMITED, figures_table
from kerasnas.tuners import Controller, Results, Search, Trial
from kerasnas.tuners.runners.base import Event, Failed, Finished

_EVERY = 10.0

Plain = bool | int | float | str | None
"""A value of a table."""


class Book:
    """Keeps the tables of a search up to date, and only the best candidates' models.

    These are `trials.csv`, `search.json` and, of a controller, `controller.json`: what it learned.
    """

    def __init__(self, run: Path, search: Search, experiment: Experiment) -> None:
        self._run = run
        self._search = search
        self._experiment = experiment
        oracle = experiment.search.oracle.propose()
        self._controller = oracle if isinstance(oracle, Controller) else None
        self._written = 0.0
        for half in (run / "trials").rglob(".*-model.keras"):
            half.unlink(missing_ok=True)  # a kill came in between
        self._models = {path.name for path in (run / "trials").glob("*") if any(_models(path))}

    def on_event(self, event: Event) -> None:
        """Take one event of the loop into account."""
        if isinstance(event, Finished | Failed):
            if isinstance(event, Finished) and any(_models(self._run / "trials" / event.id)):
                self._models.add(event.id)
                self._prune()
            if time.monotonic() - self._written > _EVERY:
                self._write()

    def close(self) -> None:
        """Write what is still unwritten."""
        self._write()

    def _write(self) -> None:
        write_atomically(self._run / "trials.csv", self._csv())
        window = self._experiment.search.window
        write_json(
            self._run / "search.json",
            {
                "schema": 1,
                "proposed": self._search.rejected + len(self._search.trials),
                "rejected": self._search.rejected,
                "window": window.model_dump(mode="json"),
                "objectives": [list(objective) for objective in self._search.objectives],
                "front": [trial.number for trial in self._search.pareto_front()],
                "seconds": round(self._search.elapsed, 1),
            },
        )
        if self._controller is not None:
            curve = [update._asdict() for update in self._controller.curve(self._search.history)]
            write_json(self._run / "controller.json", {"schema": 1, "curve": curve})
        self._written = time.monotonic()

    def _csv(self) -> str:
        experiment = self._experiment
        metrics = [*experiment.criteria, f"test_{experiment.primary_metric}"]
        front = {trial.id for trial in self._search.pareto_front()}
        genes = list(dict.fromkeys(gene.name for gene in self._search.genes))
        header = ["trial", "status", *metrics, "bytes", *measures.COSTS, "seconds"]
        header += ["front", "error", *genes]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        for trial in self._search.trials:
            writer.writerow(
                [
                    trial.number,
                    trial.status,
                    *(trial.metrics.get(name, "") for name in metrics),
                    "" if trial.cost is None else trial.cost,
                    *(trial.info.get(name, "") for name in measures.COSTS),
                    "" if trial.seconds is None else round(trial.seconds, 1),
                    "yes" if trial.id in front else "",
                    trial.message or "",
                    *(trial.values.get(name, "") for name in genes),
                ]
            )
        return text.getvalue()

    def _prune(self) -> None:
        """Delete the models of all but the best candidates, by each score in turn."""
        rankings = [self._search.ranking(name) for name in self._experiment.criteria]
        in_turn = dict.fromkeys(trial.id for row in zip(*rankings, strict=True) for trial in row)
        best = set(list(in_turn)[: self._experiment.search.keep_models])
        for id in self._models - best:
            for model in _models(self._run / "trials" / id):
                model.unlink(missing_ok=True)
        self._models &= best


def _models(trial: Path) -> Iterator[Path]:
    """The model in a trial's directory, or one of each fold."""
    return trial.rglob("model.keras")


def table(run: Path, width: int = UNLIMITED) -> RenderableType:
    """Return the trials of a run directory for the screen, from the search's journal.

    Args:
        run: The run directory.
        width: Columns of the screen; see `figures_table`.

    Raises:
        KerasnasError: It is no run directory.
        JournalError: It holds no search.
    """
    read_experiment(run)
    results = Results.read(run)
    metrics = list(dict.fromkeys(name for trial in results.trials for name in trial.metrics))
    names = ["trial", "status", *metrics, "bytes", "seconds", "values, and why it failed"]
    front = {trial.id for trial in results.pareto_front()}
    rows = [
        [
            f"{'*' if trial.id in front else ''}{trial.number}",
            trial.status,
            *(_shown(name, trial.metrics.get(name)) for name in metrics),
            "" if trial.cost is None else f"{trial.cost:,.0f}",
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            _values(trial),
        ]
        for trial in results.trials
    ]
    return figures_table(
        [name.replace("_", " ") for name in names],
        rows,
        width,
        title=str(run),
        caption="*: no trial dominates it",
        text_last=True,
    )


def _values(trial: Trial) -> str:
    """Return a trial's values, and the reason why it failed, as a cell of the table."""
    values = " ".join(f"{name}={value}" for name, value in trial.values.items())
    return escape(f"{values}\n{trial.message}" if trial.message else values)


def trial_rows(results: Results) -> list[dict[str, Plain]]:
    """Return a row for each trial, all of the same columns; None where a trial has no value.

    Columns are `trial`, `status`, scores and costs by their names, `bytes` by the window's rule,
    `seconds`, `front` (whether no trial dominates it), `error`, and the genes.
    """
    front = {trial.id for trial in results.pareto_front()}
    metrics = dict.fromkeys(name for trial in results.trials for name in trial.metrics)
    costs = [name for name in measures.COSTS if name not in metrics]
    genes = dict.fromkeys(name for trial in results.trials for name in trial.values)
    return [
        {
            **{name: trial.values.get(name) for name in genes},
            "trial": trial.number,
            "status": trial.status,
            **{name: trial.metrics.get(name) for name in metrics},
            **{name: trial.info.get(name) for name in costs},
            "bytes": trial.cost,
            "seconds": trial.seconds,
            "front": trial.id in front,
            "error": trial.message,
        }
        for trial in results.trials
    ]


def details(run: Path, number: int) -> str:
    """All that the journal of a run directory holds of one trial, with the traceback of a failure.

    Raises:
        KerasnasError: It is no run directory, or it has no such trial.
        JournalError: It holds no search.
    """
    read_experiment(run)
    results = Results.read(run)
    if not 0 <= number < len(results.trials):
        raise KerasnasError(f"{run} has no trial {number}: there are {len(results.trials)}, from 0")
    trial = results.trials[number]
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


def _shown(name: str, value: float | None) -> str:
    """A metric as the table has it; empty where there is none or it was not finite."""
    if value is None:
        return ""
    return f"{value:,.0f}" if name in measures.COSTS else f"{value:.4f}"
