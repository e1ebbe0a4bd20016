"""Logistic regression on statistics, its penalty chosen by folds inside the training clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PENALTIES = (0.01, 0.03, 0.1)
"""Inverse strengths, scikit-learn's C, of standardised statistics."""
_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear reading of statistics as they are.

    Attributes:
        kernel: `(statistics, classes)`.
        bias: `(classes,)`.
        penalty: The one of `PENALTIES` that was chosen.
        inner: Mean log loss of each penalty over the inner folds.
    """

    kernel: Array
    bias: Array
    penalty: float
    inner: dict[float, float]

    def scores(self, x: Array) -> Array:
        """Return sums before the activation, `(clips, classes)`."""
        return x @ self.kernel + self.bias


def fit(
    x: Array,
    y: Array,
    groups: Sequence[int] | NDArray[np.int64],
    several: bool = False,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> Probe:
    """Fit a probe.

    Args:
        x: `(examples, statistics)`.
        y: 0 and 1, `(examples, classes)`.
        groups: Of each example: those of one group (versions of one clip, clips of one recording)
            are on one side of every inner fold.
        several: Whether an example can have several labels, each of which is told for itself.
        penalties: To choose from; with one, nothing is held out.
        seed: Of the inner folds.
    """
    given, groups = np.asarray(x, np.float64), np.asarray(groups)
    inner: dict[float, float] = {}
    if len(penalties) > 1:
        losses = {penalty: [0.0, 0] for penalty in penalties}
        for train, test in _inner_folds(y, groups, several, seed):
            found = _regressions(given[train], y[train], several, penalties)
            for penalty, (kernel, bias) in zip(penalties, found, strict=True):
                losses[penalty][0] += _loss(given[test] @ kernel + bias, y[test], several)
                losses[penalty][1] += len(test)
        inner = {penalty: total / count for penalty, (total, count) in losses.items()}
    best = min(inner, key=inner.__getitem__) if inner else penalties[0]
    [(kernel, bias)] = _regressions(given, y, several, [best])
    return Probe(kernel.astype(np.float32), bias.astype(np.float32), best, inner)


def _inner_folds(
    y: Array, groups: NDArray[np.int64], several: bool, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(_FOLDS, len(np.unique(groups)))
    if several:
        return list(GroupKFold(count, shuffle=True, random_state=seed).split(y, groups=groups))
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(y, y.argmax(axis=1), groups))


def _regressions(
    x: NDArray[np.float64], y: Array, several: bool, penalties: Sequence[float]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Kernel and bias of each penalty for statistics as they are; fitted on standardised ones."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation <= 1e-6 * np.maximum(1e-12, np.abs(x).max(axis=0))] = 1
    standard = (x - mean) / deviation
    basis: NDArray[np.float64] | None = None
    if len(standard) < standard.shape[1]:  # the kernel lies in the span of the examples
        left, singular, basis = np.linalg.svd(standard, full_matrices=False)
        standard = left * singular
    found = []
    for penalty in penalties:
        kernel, bias = _fitted(standard, y, several, penalty)
        if basis is not None:
            kernel = basis.T @ kernel
        kernel = kernel / deviation[:, None]
        found.append((kernel, bias - mean @ kernel))
    return found


def _fitted(
    x: NDArray[np.float64], y: Array, several: bool, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    classes = y.shape[1]
    kernel, bias = np.zeros((x.shape[1], classes)), np.full(classes, -20.0)
    if several:
        for index in range(classes):
            if 0 < y[:, index].sum() < len(y):
                model = LogisticRegression(C=penalty, max_iter=500).fit(x, y[:, index])
                kernel[:, index], bias[index] = model.coef_[0], model.intercept_[0]
            elif y[:, index].all():
                bias[index] = 20.0
        return kernel, bias
    labels = y.argmax(axis=1)
    present = np.unique(labels)
    if len(present) == 1:
        bias[present] = 20.0
        return kernel, bias
    model = LogisticRegression(C=penalty, max_iter=500).fit(x, labels)
    if len(present) == 2:  # one logit, of the second class
        kernel[:, present[1]], bias[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        kernel[:, present], bias[present] = model.coef_.T, model.intercept_
    return kernel, bias


def _loss(scores: NDArray[np.float64], y: Array, several: bool) -> float:
    """Sum of the log losses of examples."""
    if several:
        return float((np.logaddexp(0, scores) - y * scores).sum())
    from scipy.special import log_softmax

    return float(-(y * log_softmax(scores, axis=1)).sum())
