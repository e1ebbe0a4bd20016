"""What a score has to be held against: the majority class, chance, and logistic regression.

The regression reads summary statistics of the features that networks see (`summaries`). Its penalty
is chosen on training clips alone, by cross-validated log loss; folds keep groups together, and
their predictions are the out-of-fold probabilities by which `label_errors` suspects labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.datasets.splits import stratified
from kerasnas.errors import KerasnasError, counted
from kerasnas.training.recipe import Loss
from kerasnas.training.review.summaries import summarise
from kerasnas.training.scoring.metrics import (
    ClipScores,
    balanced_loss,
    binary_crossentropy,
    categorical_crossentropy,
    evaluation,
)

Indices = NDArray[np.int64]
Array = NDArray[np.float32]

# Inverse strength of the penalty; the best one lay between 0.1 and 1 on all sets that were tried.
_STRENGTHS = (0.03, 0.1, 0.3, 1.0)
_FOLDS = 5
_TOLERANCE = 3e-4
_ITERATIONS = 200


@dataclass(frozen=True)
class MeasuredBaselines:
    """Baselines of one split.

    Attributes:
        majority: By part, the evaluation of the training clips' class frequencies: the most
            frequent class is always the answer.
        regression: By part, the evaluation of the logistic regression.
        chance: By part, the metrics to expect of answers drawn evenly; see `chance`.
        strength: Inverse strength of the chosen penalty (scikit-learn's `C`).
        out_of_fold: Probabilities of the training clips, `(train, classes)`, each from a regression
            that was fitted to other folds; NaN for a class of which those have no clip.
    """

    majority: Mapping[str, ClipScores]
    regression: Mapping[str, ClipScores]
    chance: Mapping[str, Mapping[str, float]]
    strength: float
    out_of_fold: Array


def measure(
    features: NDArray[Any],
    targets: NDArray[Any],
    train: Indices,
    parts: Mapping[str, tuple[Indices, Indices]],
    *,
    multi_label: bool,
    loss: Loss,
    groups: NDArray[np.int64] | None = None,
    balanced: bool = False,
    seed: int = 0,
) -> MeasuredBaselines:
    """Return what the baselines score on some parts of a split.

    Args:
        features: Of all clips; see `summarise`.
        targets: Labels of all clips as zeros and ones, `(clips, classes)`.
        train: Clips on which the penalty is chosen, and whose out-of-fold probabilities are wanted.
        parts: By name, the clips to fit a regression to, and those to score it on. Parts without
            clips to score are left out of the results.
        multi_label: Whether clips carry any number of labels: each class is then told from all
            others by a regression of its own.
        loss: Which loss the evaluations report.
        groups: Group of every clip, `(clips,)`, kept together by the folds; None where no groups
            are known; a clip without a group has a number of its own (`Clips.groups`).
        balanced: Whether clips of rare classes weigh more.
        seed: Random seed for the folds.

    Raises:
        KerasnasError: There are fewer than two clips to train on.
    """
    if len(train) < 2:
        raise KerasnasError(
            f"train has {counted(len(train), 'clip')}, and a baseline needs at least 2: name more "
            "clips to train on"
        )
    scored = {name: part for name, part in parts.items() if len(part[1])}
    used = np.unique(np.concatenate([train, *(each for part in scored.values() for each in part)]))
    x, y = summarise(features, used), np.asarray(targets[used], np.float32)
    numbers = np.arange(len(used)) if groups is None else np.asarray(groups)[used]

    def rows(clips: Indices) -> Indices:
        return np.searchsorted(used, clips)

    own = rows(train)
    strength, out_of_fold = _choose(x[own], y[own], numbers[own], multi_label, balanced, seed)
    majority, regression, expected = {}, {}, {}
    for name, (fitted, held_out) in scored.items():
        known, new = rows(fitted), rows(held_out)
        (found,) = _probabilities(x[known], y[known], x[new], (strength,), multi_label, balanced)
        frequencies = np.tile(y[known].mean(axis=0), (len(new), 1))
        majority[name], regression[name] = (
            evaluation(y[new], predictions, held_out, multi_label=multi_label, loss=loss)
            for predictions in (frequencies, np.nan_to_num(found))
        )
        expected[name] = chance(y[new], multi_label=multi_label)
    return MeasuredBaselines(majority, regression, expected, strength, out_of_fold)


def chance(labels: Array, *, multi_label: bool) -> dict[str, float]:
    """Return the metrics to expect of answers that have nothing to do with the clips.

    With one label per clip every class is answered as often as any other; of several, each tag is
    given to half of the clips. F1 is that of the expected counts.

    Args:
        labels: Of the clips, zeros and ones, `(clips, classes)`.
        multi_label: Whether clips carry any number of labels.
    """
    positives = (labels > 0.5).sum(axis=0)
    clips, answers = len(labels), 2 if multi_label else labels.shape[1]
    f1 = 2 * positives / (clips + answers * positives)
    result = {"accuracy": 1 / answers, "macro_f1": float(f1.mean()), "loss": float(np.log(answers))}
    if not multi_label:
        balanced = {"balanced_accuracy": 1 / answers, "balanced_loss": result["loss"]}
        return result | balanced
    shares = positives[(positives > 0) & (positives < clips)] / clips
    precision = float(shares.mean()) if len(shares) else float("nan")
    ranked = {"mean_auc": 0.5, "equal_error_rate": 0.5, "d_prime": 0.0}
    return result | ranked | {"mean_average_precision": precision}


def _choose(
    x: Array, y: Array, groups: NDArray[np.int64], multi_label: bool, balanced: bool, seed: int
) -> tuple[float, Array]:
    """Return the strength of the lowest cross-validated loss, and its out-of-fold probabilities."""
    fold = _folds(y, groups, seed)
    found = np.full((len(_STRENGTHS), *y.shape), np.nan, np.float32)
    for number in np.unique(fold):
        mine = fold == number
        found[:, mine] = _probabilities(
            x[~mine], y[~mine], x[mine], _STRENGTHS, multi_label, balanced
        )
    losses = [_loss(y, np.nan_to_num(each), multi_label, balanced) for each in found]
    best = int(np.argmin(losses))
    return _STRENGTHS[best], found[best]


def _folds(y: Array, groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of every clip; without two groups to part, clips are dealt out one by one."""
    numbers = np.unique(groups, return_inverse=True)[1]
    if not numbers.any():
        numbers = np.arange(len(y))
    count = min(_FOLDS, int(numbers.max()) + 1)
    return stratified(y, numbers, (1 / count,) * count, np.random.default_rng(seed))


def _loss(y: Array, predictions: Array, multi_label: bool, balanced: bool) -> float:
    if multi_label:
        return binary_crossentropy(y, predictions)
    if not balanced:
        return categorical_crossentropy(y, predictions)
    return balanced_loss(y, predictions, "categorical_crossentropy")


def _probabilities(
    x: Array,
    y: Array,
    new: Array,
    strengths: tuple[float, ...],
    multi_label: bool,
    balanced: bool,
) -> Array:
    """Return probabilities of new clips for each strength, `(strengths, new, classes)`.

    NaN for a class of which there is no clip to fit to.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x)
    x, new = scaler.transform(x), scaler.transform(new)
    result = np.full((len(strengths), len(new), y.shape[1]), np.nan, np.float32)
    if not multi_label:
        known, given = np.unique(y.argmax(axis=1), return_inverse=True)
        result[:, :, known] = _path(x, given, new, strengths, balanced)
        return result
    for index in np.flatnonzero(y.any(axis=0)):
        present = (y[:, index] > 0.5).astype(np.int64)
        result[:, :, index] = _path(x, present, new, strengths, balanced)[:, :, -1]
    return result


def _path(
    x: Array, given: NDArray[np.int64], new: Array, strengths: tuple[float, ...], balanced: bool
) -> Array:
    """Fit regressions from the strongest penalty to the weakest, each from the one before.

    Returns:
        Probabilities `(strengths, new, classes that occur)`; ones where there is a single class.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if given.min() == given.max():
        return np.ones((len(strengths), len(new), 1), np.float32)
    model = LogisticRegression(
        class_weight="balanced" if balanced else None,
        tol=_TOLERANCE,
        max_iter=_ITERATIONS,
        warm_start=True,
    )
    found = []
    # Threads wait for each other on products of this size: two take thirteen times as long as one.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough, and its score tells
        for strength in strengths:
            found.append(model.set_params(C=strength).fit(x, given).predict_proba(new))
    return np.array(found, np.float32)
