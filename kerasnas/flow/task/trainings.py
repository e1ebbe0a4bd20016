"""What the trainings of one architecture scored, over folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from rich.table import Table

from kerasnas.flow.task.result import Result
from kerasnas.training.fold_means import class_fold_means, fold_means
from kerasnas.training.metrics import ByClass, Evaluation


@dataclass(frozen=True)
class Scores:
    """What one precision of a training scored, as `training.fold_means.fold_means` takes it.

    Attributes:
        metrics: By name, and `bytes` of the file; NaN where there is no value.
        by_class: As in `training.metrics.Evaluation`; None for one label per clip.
    """

    metrics: Mapping[str, float]
    by_class: ByClass | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Scores:
        """What is kept of an evaluation."""
        return cls(evaluation.metrics, evaluation.by_class)

    def to_json(self) -> dict[str, Any]:
        """As JSON, where what has no value is null."""
        classes = self.by_class
        return {
            "metrics": _finite(self.metrics),
            "by_class": None
            if classes is None
            else {name: [_or_none(v) for v in values.tolist()] for name, values in classes.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scores:
        """Read back what `to_json` made, or what `evaluation.json` holds."""
        classes = data["by_class"]
        return cls(
            {name: nan if value is None else value for name, value in data["metrics"].items()},
            None
            if classes is None
            else {name: np.array(values, np.float64) for name, values in classes.items()},
        )


@dataclass(frozen=True)
class Training:
    """One training and what it scored.

    Attributes:
        fold: The fold that was tested on; None for the experiment's test clips.
        seed: Of the training.
        scores: By precision.
        count: Clips tested on.
    """

    fold: str | None
    seed: int
    scores: Mapping[str, Scores]
    count: int

    def to_json(self) -> dict[str, Any]:
        """As `folds.json` holds it."""
        scores = {name: _finite(known.metrics) for name, known in self.scores.items()}
        return {"fold": self.fold, "seed": self.seed, "count": self.count, **scores}


@dataclass(frozen=True, repr=False)
class Trainings(Result):
    """All trainings of one architecture; each seed has the same folds."""

    directory: Path
    label: str
    metric: str
    classes: tuple[str, ...]
    trainings: tuple[Training, ...]

    @property
    def precisions(self) -> tuple[str, ...]:
        """`float32` and the formats that were exported."""
        return tuple(self.trainings[0].scores)

    def mean(self, precision: str) -> float:
        """The metric over all folds and seeds; NaN where no fold has a value.

        With one label per clip folds weigh by their clips; with several, folds weigh equally, and
        what is a mean over classes leaves out only the folds in which a class has no value.
        """
        return fmean(self._seed_means(precision))

    def deviation(self, precision: str) -> float | None:
        """Standard deviation over seeds of the mean over folds; None for a single seed."""
        means = self._seed_means(precision)
        return stdev(means) if len(means) > 1 else None

    def _seed_means(self, precision: str) -> list[float]:
        seeds = sorted({training.seed for training in self.trainings})
        return [
            self._mean([t for t in self.trainings if t.seed == seed], precision) for seed in seeds
        ]

    def _mean(self, folds: list[Training], precision: str) -> float:
        scores = [training.scores[precision] for training in folds]
        if scores[0].by_class is not None:
            return fold_means(scores)[self.metric]
        pairs = [(s.metrics[self.metric], t.count) for s, t in zip(scores, folds, strict=True)]
        return sum(value * count for value, count in pairs) / sum(count for _, count in pairs)

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        metric = self.metric.replace("_", " ")
        return {
            "network": self.label,
            "directory": str(self.directory),
            "trainings": f"{len(self.trainings)}",
            **{f"{metric} in {name}": self._total(name) for name in self.precisions},
        }

    def _total(self, precision: str) -> str:
        """Return the mean over all trainings, with the deviation over seeds if there is one."""
        deviation = self.deviation(precision)
        mean = _shown(self.mean(precision))
        return mean if deviation is None else f"{mean} ± {_shown(deviation)}"

    def to_json(self) -> dict[str, Any]:
        """As `folds.json` holds them; `by_class` is null for one label per clip."""
        everything = {
            name: [training.scores[name] for training in self.trainings] for name in self.precisions
        }
        classes = {name: class_fold_means(scores) for name, scores in everything.items()}
        first = next(iter(classes.values()))
        by_class: dict[str, Any] | None = None
        if first:
            seeds = len({training.seed for training in self.trainings})
            by_class = {"classes": list(self.classes)}
            by_class["positives"] = [round(count / seeds) for count in first["positives"].tolist()]
            for name, means in classes.items():
                by_class[name] = {
                    column: [_or_none(value) for value in values.tolist()]
                    for column, values in means.items()
                    if column != "positives"
                }
        return {
            "schema": 1,
            "architecture": self.label,
            "metric": self.metric,
            "trainings": [training.to_json() for training in self.trainings],
            "mean": _finite({name: self.mean(name) for name in self.precisions}),
            "deviation": {
                name: None if (value := self.deviation(name)) is None else _or_none(value)
                for name in self.precisions
            },
            "by_class": by_class,
        }

    def table(self) -> Table:
        """For the screen."""
        table = Table(
            title=f"{self.label}: {self.metric.replace('_', ' ')}",
            caption=None
            if self.deviation(self.precisions[0]) is None
            else "±: standard deviation over seeds",
        )
        table.add_column("tested on")
        table.add_column("seed", justify="right")
        table.add_column("clips", justify="right")
        for precision in self.precisions:
            table.add_column(precision, justify="right")
        table.add_column(f"{self.precisions[-1]} bytes", justify="right")
        for training in self.trainings:
            metrics = [training.scores[name].metrics for name in self.precisions]
            table.add_row(
                "test clips" if training.fold is None else f"fold {training.fold}",
                str(training.seed),
                str(training.count),
                *(_shown(each[self.metric]) for each in metrics),
                f"{metrics[-1]['bytes']:,.0f}",
            )
        table.add_section()
        table.add_row(
            "all",
            "",
            str(sum(training.count for training in self.trainings)),
            *(self._total(name) for name in self.precisions),
        )
        return table


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _or_none(value) for name, value in metrics.items()}


def _or_none(value: float) -> float | None:
    return value if isfinite(value) else None


def _shown(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "–"
