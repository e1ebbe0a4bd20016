"""The table of trials: `trials.csv` while a search runs, and `kerasnas trials` afterwards."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from kerasnas.errors import KerasnasError
from kerasnas.files import write_atomically, write_json
from kerasnas.flow.run import read_experiment
from kerasnas.flow.task import Task
from kerasnas.tuners import Search
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

    def on_event(self, event: Event) -> None:
        """Take one event of the loop into account."""
        if isinstance(event, Finished | Failed):
            self._prune()
            if time.monotonic() - self._written > _EVERY:
                self._write()

    def close(self) -> None:
        """Write what is still unwritten."""
        self._prune()
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
        for model in (self._run / "trials").glob("*/model.keras"):
            trial = self._search.history.trials.get(model.parent.name)
            if trial and trial.status == "completed" and trial.id not in best:
                model.unlink(missing_ok=True)


def table(run: Path) -> Table:
    """The trials of a run directory as a table for the screen; `trials.csv` has every column.

    Raises:
        KerasnasError: It is no run directory, or holds no trials.
    """
    read_experiment(run)
    rows = list(_rows(run / "trials.csv"))
    names = list(rows[0])
    figures = [name for name in names[: names.index("error")] if name not in _COSTS]
    genes = names[names.index("error") + 1 :]
    shown = Table(title=str(run), title_justify="left")
    for name in figures:
        shown.add_column(name.replace("_", " "), justify="left" if name == "status" else "right")
    shown.add_column("values, or why it failed", overflow="fold")
    for row in rows:
        values = " ".join(f"{name}={row[name]}" for name in genes if row[name])
        shown.add_row(*(_short(row[name]) for name in figures), row["error"] or values)
    return shown


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise KerasnasError(f"{path} cannot be read: {error.strerror}") from None
    if not rows:
        raise KerasnasError(f"{path} holds no trials")
    yield from rows


def _short(text: str) -> str:
    try:
        return f"{float(text):.4g}" if "." in text else text
    except ValueError:
        return text
