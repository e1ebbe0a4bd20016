"""The table of trials: `trials.csv` while a search runs, and `kerasnas trials` afterwards."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from kerasnas.files import write_atomically, write_json
from kerasnas.flow.run import read_experiment
from kerasnas.flow.task import Task
from kerasnas.tuners import Results, Search
from kerasnas.tuners.runners.base import Event, Failed, Finished

_EVERY = 10.0
_COSTS = ("parameters", "macs", "int8_bytes", "float16_bytes")


class Book:
    """Keeps `trials.csv` and `search.json` up to date, and only the best candidates' models."""

    def __init__(self, run: Path, search: Search, loaded: Task) -> None:
        self._run = run
        self._search = search
        self._experiment = loaded.experiment
        self._written = 0.0
        self._models = {path.parent.name for path in (run / "trials").glob("*/model.keras")}

    def on_event(self, event: Event) -> None:
        """Take one event of the loop into account."""
        if isinstance(event, Finished | Failed):
            if isinstance(event, Finished):
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
                "seconds": round(self._search.elapsed, 1),
            },
        )
        self._written = time.monotonic()

    def _csv(self) -> str:
        metrics = [objective.name for objective in self._search.objectives]
        metrics.append(f"test_{self._experiment.primary_metric}")
        genes = list(dict.fromkeys(gene.name for gene in self._search.genes))
        header = ["trial", "status", *metrics, "bytes", *_COSTS, "seconds", "error", *genes]
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
                    *(trial.info.get(name, "") for name in _COSTS),
                    "" if trial.seconds is None else round(trial.seconds, 1),
                    trial.message or "",
                    *(trial.values.get(name, "") for name in genes),
                ]
            )
        return text.getvalue()

    def _prune(self) -> None:
        """Delete the models of all but the best candidates by each objective."""
        best = {
            trial.id
            for objective in self._search.objectives
            for trial in self._search.ranking(objective.name)[: self._experiment.search.keep_models]
        }
        for id in self._models - best:
            (self._run / "trials" / id / "model.keras").unlink(missing_ok=True)
        self._models &= best


def table(run: Path) -> Table:
    """The trials of a run directory as a table for the screen, from the search's journal.

    Raises:
        KerasnasError: It is no run directory.
        JournalError: It holds no search.
    """
    read_experiment(run)
    results = Results.read(run)
    metrics = list(dict.fromkeys(name for trial in results.trials for name in trial.metrics))
    shown = Table(title=str(run), title_justify="left")
    shown.add_column("trial", justify="right")
    shown.add_column("status")
    for name in (*metrics, "bytes", "seconds"):
        shown.add_column(name.replace("_", " "), justify="right")
    shown.add_column("values, or why it failed", overflow="fold")
    for trial in results.trials:
        values = " ".join(f"{name}={value}" for name, value in trial.values.items())
        shown.add_row(
            str(trial.number),
            trial.status,
            *(f"{trial.metrics[name]:.4f}" if name in trial.metrics else "" for name in metrics),
            "" if trial.cost is None else f"{trial.cost:,.0f}",
            "" if trial.seconds is None else f"{trial.seconds:.0f}",
            escape(trial.message or values),
        )
    return shown
