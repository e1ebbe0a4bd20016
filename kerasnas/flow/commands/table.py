"""`kerasnas table`: named and searched networks trained alike, a row each, as papers print them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasnas.errors import KerasnasError
from kerasnas.export.forms import PRECISIONS
from kerasnas.flow.commands.train import locate, train
from kerasnas.flow.result import Result
from kerasnas.paths import StrPath
from kerasnas.report import networks
from kerasnas.report import write as write_report
from kerasnas.report.html.formats import count, mean_and_deviation, megabytes, metric, millions
from kerasnas.report.networks import Row
from kerasnas.runs.directory import is_run
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.run import Run
from kerasnas.words import words


@dataclass(frozen=True, repr=False)
class NetworkTable(Result):
    """Networks side by side, scored on the same clips.

    Attributes:
        run: The run directory.
        metric: The score that they are compared by.
        rows: A row for each network, and for each ensemble.
        csv: The rows as a file.
        report: The page that shows them, too.
    """

    run: Path
    metric: str
    rows: list[Row]
    csv: Path
    report: Path

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        found = {
            row.name: ", ".join(
                f"{mean_and_deviation(self.metric, scores)} in {name}"
                for name in PRECISIONS
                if (scores := row.scores(name, self.metric))
            )
            for row in self.rows
        }
        return {**found, "table": str(self.csv), "report": str(self.report)}

    def data(self) -> dict[str, Any]:
        """See `Result`: the rows as they are in the file."""
        with self.csv.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {"run": self.run, "rows": rows, "csv": self.csv, "report": self.report}

    def tables(self) -> tuple[Table, Table]:
        """Return costs with scores, and the score of every class."""
        return self._costs(), self._classes()

    def _costs(self) -> Table:
        table = Table(title=words(self.metric), caption="float32: predicted bytes")
        table.add_column("network")
        over = any(row.folds is not None for row in self.rows)
        names = ["parameters", "MACs", *(f"{name}, MB" for name in PRECISIONS), *PRECISIONS]
        for name in names + [f"{name}, folds" for name in PRECISIONS] * over:
            table.add_column(name, justify="right")
        for row in self.rows:
            folds = [row.over_folds(name) for name in PRECISIONS] * over
            scores = (row.scores(name, self.metric) for name in PRECISIONS)
            table.add_row(
                Text(row.name),
                count(None if row.cost is None else row.cost.parameters),
                millions(None if row.cost is None else row.cost.macs),
                *(megabytes(row.size(name)) for name in PRECISIONS),
                *(mean_and_deviation(self.metric, found) if found else "–" for found in scores),
                *(metric(self.metric, each) for each in folds),
            )
        return table

    def _classes(self) -> Table:
        first = self.rows[0].evaluations["float32"][0]
        table = Table(title=f"{words(networks.class_measure(first))} of every class, float32")
        table.add_column("class")
        for row in self.rows:
            table.add_column(Text(row.name), justify="right")
        columns = [row.by_class() for row in self.rows]
        for index, name in enumerate(first.classes):
            values = [None if column is None else float(column[index]) for column in columns]
            table.add_row(
                Text(name),
                *("–" if each is None or not isfinite(each) else f"{each:.3f}" for each in values),
            )
        return table


def table(
    source: StrPath,
    architectures: Sequence[StrPath] = (),
    *,
    folds: str | None = None,
    seeds: int = 1,
    data: StrPath | None = None,
    run: StrPath | None = None,
    workers: int | None = None,
    cache: StrPath | None = None,
    cluster: str | None = None,
    console: Console | None = None,
) -> NetworkTable:
    """Train networks that are not trained yet, and put all of a run directory into one table.

    Networks are trained, exported and scored as by `kerasnas.flow.commands.train.train`, one after
    another. The table is `networks.csv`, and a part of the report.

    Args:
        source: Experiment file, or run directory of a search, whose chosen network is in the table.
        architectures: As of `train`, any number.
        folds: Folds that each network is also tested on in turn, as of `train`; None for none.
        seeds: Trainings of each network.
        data: Directory of the data set; overrides `KERASNAS_DATA` and `data.root`.
        run: Where results go; by default `source`, or `runs/NAME` for an experiment file.
        workers: Trainings side by side.
        cache: Directory for features.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to train on.
        console: Where progress is shown.

    Raises:
        KerasnasError: There is no network to show, or as from `train`.
    """
    _, directory, _ = locate(source, run, cache)
    asked: list[StrPath | None] = list(architectures)
    searched = is_run(Path(source)) and RunPaths(Path(source)).winners.exists()
    if searched and (seeds > 1 or folds is not None):
        asked.insert(0, None)
    given: dict[str, Any] = {
        "seeds": seeds,
        "data": data,
        "run": run,
        "workers": workers,
        "cache": cache,
        "cluster": cluster,
        "console": console,
    }
    for architecture in asked:
        train(source, architecture=architecture, **given)
        if folds is not None:  # last: `folds.json` is of the trainings that were made last
            train(source, architecture=architecture, folds=folds, **given)
    found = Run.read(directory) if is_run(directory) else None
    rows = networks.rows(found) if found is not None else []
    if found is None or not rows:
        raise KerasnasError(f"{source} holds no trained network: give --architecture NAME")
    path = found.paths.networks_table
    networks.write_csv(path, found)
    report = write_report(directory)
    return NetworkTable(directory, networks.primary_metric(found), rows, path, report)
