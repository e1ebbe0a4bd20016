"""Means of scores over the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from kerasnas.training.scoring.equal_error_rate import over_folds
from kerasnas.training.scoring.metrics import CLASS_MEANS, ByClass, mean


class Scored(Protocol):
    """The part of `ClipScores` that means over folds are made of."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """By name; NaN where there is no value."""

    @property
    def by_class(self) -> ByClass | None:
        """Each `(classes,)`, NaN where a class has no value; None for one label per clip."""


def fold_means(evaluations: Sequence[Scored]) -> dict[str, float]:
    """Means of the metrics over evaluations of one kind, one a fold; folds weigh equally.

    What is a mean over classes is averaged class by class first, so that a class which has no value
    in some fold counts like the others.
    """
    names = evaluations[0].metrics
    means = {name: mean(np.array([each.metrics[name] for each in evaluations])) for name in names}
    classes = class_fold_means(evaluations)
    for name, column in CLASS_MEANS.items() if classes else ():
        means[name] = mean(classes[column])
    return means


def class_fold_means(evaluations: Sequence[Scored]) -> ByClass:
    """Of every class, its positives in all folds, and its means over the folds that have a value.

    Returns:
        `positives`, `average_precision`, `auc` and `equal_error_rate`, `(classes,)` each; empty
        for one label per clip.
    """
    tables = [each.by_class for each in evaluations if each.by_class is not None]
    if not tables:
        return {}
    columns = CLASS_MEANS.values()
    means = {name: over_folds(np.stack([table[name] for table in tables])) for name in columns}
    return {"positives": np.sum([table["positives"] for table in tables], axis=0), **means}
