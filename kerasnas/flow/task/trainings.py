"""What the trainings of one architecture scored, over folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from kerasnas.flow.result import Result
from kerasnas.runs.records import FoldClasses, Folds, FoldTraining
from kerasnas.runs.values import Figures, known
from kerasnas.training.scoring.fold_means import class_fold_means, fold_means
from kerasnas.training.scoring.metrics import ByClass, ClipScores
from kerasnas.words import words

BASELINE = "baseline"
"""Among the precisions of a training's figures by class."""


@dataclass(frozen=True)
class Scores:
    """What one precision of a training scored, as `training.scoring.fold_means` takes it.

    Attributes:
        metrics: By name, and `bytes` of the file; NaN where there is no value.
        by_class: As in `training.scoring.metrics.ClipScores`; None for one label per clip.
    """

    metrics: Mapping[str, float]
    by_class: ByClass | None

    @classmethod
    def of(cls, evaluation: ClipScores) -> Scores:
        """Return what is kept of an evaluation."""
        return cls(evaluation.metrics, evaluation.by_class)

    def to_json(self) -> dict[str, Any]:
        """As JSON, where what has no value is null."""
        classes = self.by_class
        return {
            "metrics": {name: known(value) for name, value in self.metrics.items()},
            "by_class": None
            if classes is None
            else {name: [known(v) for v in values.tolist()] for name, values in classes.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scores:
        """Return what `to_json` was made of."""
        classes = data["by_class"]
        return cls(
            {name: nan if value is None else value for name, value in data["metrics"].items()},
            None
            if classes is None
            else {name: np.array(values, np.float64) for name, values in classes.items()},
        )


def summarise(
    label: str,
    metric: str,
    classes: tuple[str, ...],
    trainings: Sequence[FoldTraining],
    tables: Sequence[Mapping[str, ByClass]],
) -> Folds:
    """Return what all trainings of one architecture score together.

    With one label per clip folds weigh by their clips; with several, folds weigh equally, and what
    is a mean over classes leaves out only the folds in which a class has no value.

    Args:
        label: Of the architecture.
        metric: The score to take means of.
        classes: Names.
        trainings: In the order of seeds and folds; each seed has the same folds.
        tables: Figures by class of each training, by precision, and of the baseline; empty for
            one label per clip.
    """
    parts = [
        (
            training,
            {name: _scores(figures, table.get(name)) for name, figures in training.scores.items()},
        )
        for training, table in zip(trainings, tables, strict=True)
    ]
    mean, deviation = {}, {}
    for name in trainings[0].scores:
        means = [
            _mean_over_folds(
                metric, [(scores[name], each.count) for each, scores in parts if each.seed == seed]
            )
            for seed in sorted({training.seed for training in trainings})
        ]
        mean[name] = fmean(means)
        deviation[name] = stdev(means) if len(means) > 1 else None
    by_class = _by_class(classes, trainings, [scores for _, scores in parts])
    baseline = [
        (_scores(training.baseline, table.get(BASELINE)), training.count)
        for training, table in zip(trainings, tables, strict=True)
        if training.seed == trainings[0].seed and metric in training.baseline
    ]
    beside = _mean_over_folds(metric, baseline) if baseline else None
    return Folds(label, metric, tuple(trainings), mean, deviation, by_class, beside)


def _scores(figures: Figures, by_class: ByClass | None) -> Scores:
    metrics = {name: nan if value is None else value for name, value in figures.items()}
    return Scores(metrics, by_class)


def _mean_over_folds(metric: str, folds: Sequence[tuple[Scores, int]]) -> float:
    """Return the mean of the metric over one seed's folds, each with the number of its clips."""
    if folds[0][0].by_class is not None:
        return fold_means([scores for scores, _ in folds])[metric]
    total = sum(scores.metrics[metric] * count for scores, count in folds)
    return total / sum(count for _, count in folds)


def _by_class(
    classes: tuple[str, ...],
    trainings: Sequence[FoldTraining],
    scores: Sequence[Mapping[str, Scores]],
) -> FoldClasses | None:
    means = {name: class_fold_means([each[name] for each in scores]) for name in scores[0]}
    first = next(iter(means.values()))
    if not first:
        return None
    seeds = len({training.seed for training in trainings})
    positives = tuple(round(count / seeds) for count in first["positives"].tolist())
    return FoldClasses(
        classes,
        positives,
        {
            name: {column: values for column, values in table.items() if column != "positives"}
            for name, table in means.items()
        },
    )


@dataclass(frozen=True, repr=False)
class Trainings(Result):
    """All trainings of one architecture.

    Attributes:
        directory: Holds the directory of each.
        folds: What they score.
        caveat: What to say of the figures; None: nothing.
    """

    directory: Path
    folds: Folds
    caveat: str | None = None

    @property
    def label(self) -> str:
        """Name of the architecture."""
        return self.folds.architecture

    @property
    def trainings(self) -> tuple[FoldTraining, ...]:
        """What each scores, in the order of seeds and folds."""
        return self.folds.trainings

    @property
    def precisions(self) -> tuple[str, ...]:
        """`float32` and the formats that were exported."""
        return tuple(self.folds.mean)

    def mean(self, precision: str) -> float | None:
        """Return the metric over all folds and seeds; None where no fold has a value."""
        return known(self.folds.mean[precision])

    def deviation(self, precision: str) -> float | None:
        """Return the standard deviation over seeds of the mean over folds; None for one seed."""
        return known(self.folds.deviation[precision])

    def headline(self) -> dict[str, str]:
        """Return the three numbers that matter: before and after the export, and what to beat."""
        metric, last = words(self.folds.metric), self.precisions[-1]
        return {
            f"{metric} in {self.precisions[0]}": self._total(self.precisions[0]),
            f"{metric} in {last}": self._total(last),
            f"{metric} of a simple baseline": _shown(self.folds.baseline),
        }

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        metric = words(self.folds.metric)
        return {
            "network": self.label,
            "directory": str(self.directory),
            "trainings": f"{len(self.trainings)}",
            **{f"{metric} in {name}": self._total(name) for name in self.precisions},
            **({} if self.caveat is None else {"note": self.caveat}),
        }

    def _total(self, precision: str) -> str:
        """Return the mean over all trainings, with the deviation over seeds if there is one."""
        deviation = self.deviation(precision)
        mean = _shown(self.mean(precision))
        return mean if deviation is None else f"{mean} ± {_shown(deviation)}"

    def table(self) -> Table:
        """For the screen."""
        table = Table(
            title=Text(f"{self.label}: {words(self.folds.metric)}", style="table.title"),
            caption=None
            if self.deviation(self.precisions[0]) is None
            else "±: standard deviation over seeds",
        )
        table.add_column("tested on")
        table.add_column("seed", justify="right")
        table.add_column("clips", justify="right")
        for precision in self.precisions:
            table.add_column(precision, justify="right")
        table.add_column(BASELINE, justify="right")
        table.add_column(f"{self.precisions[-1]} bytes", justify="right")
        for training in self.trainings:
            size = training.score(self.precisions[-1], "bytes")
            table.add_row(
                Text(training.tested_on),
                str(training.seed),
                str(training.count),
                *(_shown(training.score(name, self.folds.metric)) for name in self.precisions),
                _shown(training.baseline.get(self.folds.metric)),
                "–" if size is None else f"{size:,}",
            )
        table.add_section()
        table.add_row(
            "all",
            "",
            str(sum(training.count for training in self.trainings)),
            *(self._total(name) for name in self.precisions),
            _shown(self.folds.baseline),
        )
        return table

    def problems(self) -> str:
        """Return what is seriously wrong with some of the networks, a line each."""
        return "\n".join(
            f"{'; '.join(where)}: {sentence}." for sentence, where in self.folds.serious().items()
        )


def _shown(value: float | None) -> str:
    return "–" if value is None or not isfinite(value) else f"{value:.3f}"
