"""Logistic regression on statistics, its penalty chosen by folds inside the training clips.

Statistics are often more than clips, so examples are written by their coordinates along the
principal axes. There the Hessian is nearly diagonal and known before, and the regression is solved
in some twenty steps for each penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PENALTIES = (0.01, 0.03, 0.1)
"""Inverse strengths, scikit-learn's C, of standardised statistics."""
_FOLDS = 3
_SURE = 20.0
"""Bias of a class that all examples have, or, negative, that none has."""
_LEAST = 1e-6
"""Axes of less variance, of the largest, are rounding errors."""
_TOLERANCE = 1e-6
"""Relative change of the loss that ends a regression."""
_ROUGHLY = 1e-5
"""The same, where regressions are only compared."""
_CURVATURE = 0.01
"""Of the loss in a score, p (1 - p): of examples that are told well, as most are at the end."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear reading of statistics as they are.

    Attributes:
        kernel: `(statistics, classes)`.
        bias: `(classes,)`.
        penalty: The one that was chosen.
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
    weights: Array | None = None,
) -> Probe:
    """Fit a probe, on one thread: more of them wait for each other on products of this size.

    Args:
        x: `(examples, statistics)`.
        y: 0 and 1, `(examples, classes)`.
        groups: Of each example: those of one group (versions of one clip, clips of one recording)
            are on one side of every inner fold.
        several: Whether an example can have several labels, each of which is told for itself.
        penalties: To choose from; with one, nothing is held out.
        seed: Of the inner folds.
        weights: What each example counts, `(examples,)`; None for all alike.
    """
    from threadpoolctl import threadpool_limits

    groups = np.asarray(groups)
    weights = np.ones(len(x), np.float32) if weights is None else weights
    with threadpool_limits(1, user_api="blas"):
        axes = _Axes(np.asarray(x, np.float32))
        inner: dict[float, float] = {}
        if len(penalties) > 1 and len(np.unique(groups)) > 1:
            inner = _inner_losses(axes, y, groups, several, penalties, seed, weights)
        best = min(inner, key=inner.__getitem__) if inner else penalties[0]
        kernel, bias = axes.fit(np.arange(len(x)), y, several, best, weights)
        kernel, bias = axes.of_statistics(kernel, bias)
    return Probe(kernel, bias, best, inner)


def _inner_losses(
    axes: _Axes,
    y: Array,
    groups: NDArray[np.int64],
    several: bool,
    penalties: Sequence[float],
    seed: int,
    weights: Array,
) -> dict[float, float]:
    """Mean log loss of each penalty over the inner folds."""
    # Versions of a clip are told apart by nothing here, and dealt out once.
    kinds, first, kind_of = np.unique(
        np.column_stack([groups, y.astype(np.int64)]),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    kind_of = kind_of.ravel()
    folds = [
        tuple(np.flatnonzero(np.isin(kind_of, part)) for part in parts)
        for parts in _inner_folds(y[first], kinds[:, 0], several, seed)
    ]
    losses = dict.fromkeys(penalties, 0.0)
    for train, test in folds:
        start = None
        for penalty in sorted(penalties):
            start = kernel, bias = axes.fit(train, y, several, penalty, weights, start, _ROUGHLY)
            scores = axes.x[test] @ kernel + bias
            losses[penalty] += float((weights[test] * _losses(scores, y[test], several)[0]).sum())
    return {penalty: total / float(weights.sum()) for penalty, total in losses.items()}


def _inner_folds(
    y: Array, groups: NDArray[np.int64], several: bool, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    count = min(_FOLDS, len(np.unique(groups)))
    if several:
        return list(GroupKFold(count, shuffle=True, random_state=seed).split(y, groups=groups))
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(y, y.argmax(axis=1), groups))


class _Axes:
    """Examples along the principal axes of their standardised statistics.

    Attributes:
        x: `(examples, axes)`; products of its rows are those of the standardised statistics.
    """

    def __init__(self, x: Array) -> None:
        from scipy.linalg import eigh

        self._mean, self._deviation = x.mean(axis=0), x.std(axis=0)
        constant = self._deviation <= 1e-6 * np.maximum(1e-12, np.abs(x).max(axis=0))
        self._deviation[constant] = 1
        standard = (x - self._mean) / self._deviation
        wide = len(x) < x.shape[1]
        squares, vectors = eigh(
            standard @ standard.T if wide else standard.T @ standard, driver="evd"
        )
        kept = squares > _LEAST * max(squares[-1], 1e-12)
        self._squares, vectors = squares[kept], vectors[:, kept]
        lengths = np.sqrt(self._squares)
        # The axes are `standard.T @ coordinates`; computing them all would take longest of all.
        self._coordinates = vectors / lengths if wide else vectors
        self._standard = standard if wide else None
        self.x = vectors * lengths if wide else standard @ vectors

    def fit(
        self,
        rows: NDArray[np.int64],
        y: Array,
        several: bool,
        penalty: float,
        weights: Array,
        start: tuple[Array, Array] | None = None,
        tolerance: float = _TOLERANCE,
    ) -> tuple[Array, Array]:
        """Return kernel `(axes, classes)` and bias of the regression on some examples.

        Args:
            rows: The examples.
            y: Labels of all examples, as are the weights.
            several: See `fit`, as for the next ones.
            penalty: Inverse strength.
            weights: What examples count.
            start: Kernel and bias of another penalty to begin with.
            tolerance: Relative change of the loss that ends the regression.
        """
        y, weights = y[rows], weights[rows]
        kernel = np.zeros((self.x.shape[1], y.shape[1]), np.float32)
        counts = y.sum(axis=0)
        bias = np.where(counts > 0, _SURE, -_SURE).astype(np.float32)
        told = (counts > 0) & (counts < len(y))  # of the others nothing can be learned
        if told.any():
            squares = self._squares * (len(rows) / len(self.x))
            begin = None if start is None else np.vstack([start[0][:, told], start[1][told]])
            kernel[:, told], bias[told] = _regression(
                self.x[rows],
                y[:, told],
                weights[:, None],
                several,
                penalty,
                squares,
                begin,
                tolerance,
            )
        return kernel, bias

    def of_statistics(self, kernel: Array, bias: Array) -> tuple[Array, Array]:
        """Return kernel and bias for statistics as they are."""
        kernel = self._coordinates @ kernel
        if self._standard is not None:
            kernel = self._standard.T @ kernel
        kernel = kernel / self._deviation[:, None]
        return kernel.astype(np.float32), (bias - self._mean @ kernel).astype(np.float32)


def _regression(
    x: Array,
    y: Array,
    weights: Array,
    several: bool,
    penalty: float,
    squares: Array,
    begin: Array | None,
    tolerance: float,
) -> tuple[Array, Array]:
    from scipy.optimize import minimize

    scale = 1 / np.sqrt(1 + penalty * _CURVATURE * squares)[:, None]  # evens the Hessian out
    bias_scale = 1 / np.sqrt(penalty * _CURVATURE * len(x))
    shape = (x.shape[1] + 1, y.shape[1])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        given = flat.reshape(shape)
        kernel = given[:-1] * scale
        scores = x @ kernel.astype(np.float32) + (given[-1] * bias_scale).astype(np.float32)
        losses, probability = _losses(scores, y, several)
        error = weights * (probability - y)
        value = penalty * float((weights[:, 0] * losses).sum(dtype=np.float64))
        gradient = np.empty(shape)
        gradient[:-1] = scale * (penalty * (x.T @ error) + kernel)
        gradient[-1] = bias_scale * penalty * error.sum(axis=0)
        return value + float((kernel**2).sum()) / 2, gradient.ravel()

    options = {"maxiter": 200, "ftol": tolerance}
    start = np.zeros(shape)
    if begin is not None:
        start = begin / np.vstack([scale, [[bias_scale]]])
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
    found = found.reshape(shape)
    return (found[:-1] * scale).astype(np.float32), (found[-1] * bias_scale).astype(np.float32)


def _losses(scores: Array, y: Array, several: bool) -> tuple[Array, Array]:
    """Log loss of each example, `(examples,)`, and probabilities of its classes."""
    if several:
        powers = np.exp(-np.abs(scores))
        losses = np.maximum(scores, 0) + np.log1p(powers) - y * scores
        return losses.sum(axis=1), np.where(scores > 0, 1, powers) / (1 + powers)
    highest = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - highest)
    total = powers.sum(axis=1, keepdims=True)
    losses = (highest + np.log(total))[:, 0] - (y * scores).sum(axis=1)
    return losses, powers / total
