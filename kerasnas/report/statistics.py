"""The few statistics that a report computes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from kerasnas.measures import direction
from kerasnas.runs.records import Evaluation
from kerasnas.runs.trials import Trial

_FEW_VALUES = 8


def wilson(correct: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` independent trials.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22, 1927.

    Returns:
        Its lower and upper bound, in 0..1; (0, 1) where nothing was counted.
    """
    if count == 0:
        return 0.0, 1.0
    z = 1.959964
    share = correct / count
    scale = 1 + z * z / count
    middle = (share + z * z / (2 * count)) / scale
    half = z / scale * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Group:
    """Completed trials that share a gene's value, or a quarter of its range."""

    label: str
    trials: tuple[Trial, ...]


def groups(trials: Sequence[Trial], gene: str) -> tuple[Group, ...]:
    """Trials by the value of a gene, ascending where values are numbers.

    A gene with more than eight values is parted into four ranges that hold equally many trials;
    trials in which the gene is not active are left out.

    Returns:
        The groups; none where the gene has many values that are no numbers.
    """
    shown = {trial.number: str(trial.values[gene]) for trial in trials if gene in trial.values}
    active = [trial for trial in trials if trial.number in shown]
    values = sorted(set(shown.values()))
    numbers = {value: number for value in values if (number := _number(value)) is not None}
    numeric = len(numbers) == len(values)
    if len(values) <= _FEW_VALUES:
        ordered = sorted(values, key=numbers.__getitem__) if numeric else values
        return tuple(
            Group(value, tuple(trial for trial in active if shown[trial.number] == value))
            for value in ordered
        )
    if not numeric:
        return ()
    ranked = sorted(active, key=lambda trial: numbers[shown[trial.number]])
    cuts = np.quantile([numbers[shown[trial.number]] for trial in ranked], (0.25, 0.5, 0.75))
    quarter = [int(np.searchsorted(cuts, numbers[shown[trial.number]])) for trial in ranked]
    parts = [[t for t, q in zip(ranked, quarter, strict=True) if q == k] for k in range(4)]
    return tuple(
        Group(f"{shown[part[0].number]} to {shown[part[-1].number]}", tuple(part))
        for part in parts
        if part
    )


def median_or_none(values: Sequence[float | None]) -> float | None:
    """Return the median of what is known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def best_epoch(values: Sequence[float], metric: str) -> int | None:
    """Return the first epoch, from 1, with the best value of a metric; None where none is known."""
    known = [(value, epoch) for epoch, value in enumerate(values, 1) if not isnan(value)]
    if not known:
        return None
    best = (min if direction(metric) == "min" else max)(value for value, _ in known)
    return next(epoch for value, epoch in known if value == best)


def first_reaching(values: Sequence[float], target: float, metric: str) -> int | None:
    """Return the first epoch, from 1, whose value is as good as `target`; None where none is."""
    less = direction(metric) == "min"
    for epoch, value in enumerate(values, 1):
        if (value <= target) if less else (value >= target):  # never true of NaN
            return epoch
    return None


@dataclass(frozen=True)
class ClassScore:
    """How one class of a multi-label task came out; shares are NaN where they do not exist."""

    name: str
    positives: int
    precision: float
    recall: float
    f1: float
    average_precision: float


def class_scores(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """Scores of each class: decisions at 0.5, and average precision over all thresholds."""
    from sklearn.metrics import average_precision_score

    scores = []
    for index, name in enumerate(evaluation.classes):
        truth = evaluation.labels[:, index] > 0.5
        output = evaluation.predictions[:, index]
        decided = output >= 0.5
        hits = int((truth & decided).sum())
        positives = int(truth.sum())
        scores.append(
            ClassScore(
                name,
                positives,
                _share(hits, int(decided.sum())),
                _share(hits, positives),
                _share(2 * hits, positives + int(decided.sum())),
                float(average_precision_score(truth, output)) if positives else float("nan"),
            )
        )
    return tuple(scores)


@dataclass(frozen=True)
class Confusion:
    """Clips of class `truth` that were taken for class `answer`."""

    truth: str
    answer: str
    clips: int
    of: int


def worst_confusions(
    matrix: NDArray[np.int64], classes: Sequence[str], most: int = 5
) -> tuple[Confusion, ...]:
    """Return the most frequent confusions, those of rarer classes first among equals."""
    totals = matrix.sum(axis=1)
    pairs = [
        Confusion(classes[i], classes[j], int(matrix[i, j]), int(totals[i]))
        for i, j in zip(*np.nonzero(matrix), strict=True)
        if i != j
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.clips, pair.of))[:most])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if isnan(number) else number
