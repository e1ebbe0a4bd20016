"""`trials.csv`: the trials as a table for people; nothing reads it back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from kerasnas.files import write_atomically
from kerasnas.measures import COSTS
from kerasnas.runs.trials import Trials, cost_of


def write_table(path: Path, trials: Trials, metrics: Sequence[str]) -> None:
    """Write the table, as it is now.

    Args:
        path: The file.
        trials: Of the search.
        metrics: Names of those that get a column.

    Raises:
        KerasnasError: The file cannot be written.
    """
    header = ["trial", "status", *metrics, "bytes", *COSTS, "seconds", "front", "error"]
    rows = [
        [
            trial.number,
            trial.status,
            *(_shown(trial.metrics.get(name)) for name in metrics),
            _shown(trial.cost),
            *(_shown(cost_of(trial, name)) for name in COSTS),
            "" if trial.seconds is None else round(trial.seconds, 1),
            "yes" if trial.number in trials.front else "",
            trial.message or "",
            *(trial.values.get(name, "") for name in trials.genes),
        ]
        for trial in trials.all
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[*header, *trials.genes], *rows])
    write_atomically(path, text.getvalue(), durable=False)


def _shown(value: float | None) -> float | str:
    return "" if value is None else value
