"""How good scores of clips are: pure functions on arrays `(clips, classes)`.

Ranking metrics come from scikit-learn, the equal error rate from its ROC curve. A class without a
positive or without a negative clip has no such value: it is NaN for the class, left out of means,
and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.training.examples import Examples
from kerasnas.training.recipe import Loss
from kerasnas.training.scoring.d_prime import d_prime
from kerasnas.training.scoring.equal_error_rate import equal_error_rate
from kerasnas.training.scoring.thresholds import DEFAULT

Floats = NDArray[np.float32]
ByClass = Mapping[str, NDArray[np.float64]]
Predict = Callable[[NDArray[np.float32]], NDArray[Any]]
"""From features `(n, frames, bins, channels)` to scores `(n, classes)`."""

CLASS_MEANS = {
    "mean_average_precision": "average_precision",
    "mean_auc": "auc",
    "equal_error_rate": "equal_error_rate",
}
"""Metrics that are means over classes, and the columns of `ClipScores.by_class` behind them."""
_EPSILON = 1e-7  # Keras clips probabilities so before it takes their logarithm


@dataclass(frozen=True)
class ClipScores:
    """Scores of clips and what they are worth.

    Attributes:
        metrics: `loss`, and with one label per clip `balanced_loss` and `balanced_accuracy` (means
            over the classes that occur of their clips' mean loss and of the share that is right),
            `accuracy`, `macro_f1`, and where channels are examples `channel_macro_f1` (each channel
            scored alone, mean over them), else `mean_average_precision`, `mean_auc`,
            `equal_error_rate`, `d_prime` (of the mean AUC), `accuracy` (share of right decisions),
            `micro_f1` and `macro_f1` (all three at 0.5), `tuned_micro_f1` and `tuned_macro_f1`
            where thresholds were given, and `scored_classes`, the number of classes which the first
            three are means over.
        confusion: Clips by true (rows) and predicted (columns) class; None for several labels.
        by_class: For several labels, each `(classes,)`: `positives` (clips), `average_precision`,
            `auc`, `d_prime`, `equal_error_rate`, `f1` (at 0.5), and `threshold` and `tuned_f1`
            where thresholds were given; NaN where a class has no value. None for one label per
            clip.
        channel_f1: Where channels are examples, of every class the mean over channels of its F1,
            `(classes,)`; None elsewhere.
        predictions: Mean of each clip's segments, float32 `(clips, classes)`.
        labels: Zeros and ones, float32 `(clips, classes)`.
        clips: Indices of the clips, `(clips,)`.
    """

    metrics: dict[str, float]
    confusion: NDArray[np.int64] | None
    by_class: ByClass | None
    predictions: Floats
    labels: Floats
    clips: NDArray[np.int64]
    channel_f1: NDArray[np.float64] | None = None


def evaluate(
    predict: Predict,
    examples: Examples,
    *,
    multi_label: bool,
    loss: Loss,
    batch_size: int = 64,
    thresholds: NDArray[np.float64] | None = None,
) -> ClipScores:
    """Score clips by the mean over their segments.

    Args:
        predict: Called with `batch_size` examples each time; the last batch is filled up by
            repeating its own.
        examples: Segments of the clips to score.
        multi_label: Whether clips carry any number of labels.
        loss: The loss the network was trained by.
        batch_size: Examples at a time.
        thresholds: Of every class, for several labels, chosen on other clips by
            `kerasnas.training.scoring.thresholds.choose`.

    Raises:
        KerasnasError: There are no examples, the network's classes are not the data set's, or its
            scores are not finite.
    """
    if not len(examples):
        raise KerasnasError("there are no clips to evaluate on: name another part of the data set")
    outputs = predict_examples(predict, examples, batch_size)
    predictions = examples.clip_means(outputs)
    labels = examples.clip_targets
    if predictions.shape != labels.shape:
        raise KerasnasError(
            f"the model gives {predictions.shape[1]} scores, the data set has {labels.shape[1]} "
            "classes: use the data set that the model was trained for"
        )
    if not np.isfinite(predictions).all():
        raise KerasnasError(
            "the model's scores are not numbers (NaN): its training diverged; lower learning_rate"
        )
    result = evaluation(
        labels,
        predictions,
        examples.clips,
        multi_label=multi_label,
        loss=loss,
        thresholds=thresholds,
    )
    if examples.channels > 1 and not multi_label:
        each = _f1_by_channel(outputs, examples)
        result.metrics["channel_macro_f1"] = mean(np.array([mean(f1) for f1 in each]))
        channels = np.array([mean(column) for column in each.T])
        return replace(result, channel_f1=channels)
    return result


def evaluation(
    labels: Floats,
    predictions: Floats,
    clips: NDArray[np.int64],
    *,
    multi_label: bool,
    loss: Loss,
    thresholds: NDArray[np.float64] | None = None,
) -> ClipScores:
    """Return the evaluation of clips whose scores are known.

    Args:
        labels: Zeros and ones, `(clips, classes)`.
        predictions: Scores of the same clips, finite.
        clips: Their indices, `(clips,)`.
        multi_label: See `evaluate`.
        loss: See `evaluate`.
        thresholds: See `evaluate`.
    """
    classes = by_class(labels, predictions, thresholds) if multi_label else None
    return ClipScores(
        _metrics(labels, predictions, loss, classes),
        None if multi_label else confusion(labels, predictions),
        classes,
        predictions,
        labels,
        clips,
    )


def predict_examples(predict: Predict, examples: Examples, batch_size: int = 64) -> Floats:
    """Scores of all examples, `(n, classes)`; see `evaluate`."""
    size = min(batch_size, len(examples))
    parts = []
    for start in range(0, len(examples), size):
        rows = np.arange(start, min(start + size, len(examples)))
        parts.append(np.asarray(predict(examples.x(np.resize(rows, size))))[: len(rows)])
    return np.concatenate(parts).astype(np.float32)


def scores(
    labels: Floats,
    predictions: Floats,
    *,
    multi_label: bool,
    loss: Loss,
    thresholds: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Return the metrics of `ClipScores`."""
    classes = by_class(labels, predictions, thresholds) if multi_label else None
    return _metrics(labels, predictions, loss, classes)


def _metrics(
    labels: Floats, predictions: Floats, loss: Loss, classes: ByClass | None
) -> dict[str, float]:
    """From what is known of every class, for several labels; None for one label per clip."""
    result = {"loss": _LOSSES[loss](labels, predictions)}
    if classes is None:
        result["balanced_loss"] = balanced_loss(labels, predictions, loss)
        return result | _decided(labels, predictions, multi_label=False)
    result |= {
        **{name: mean(classes[column]) for name, column in CLASS_MEANS.items()},
        "d_prime": float(d_prime(mean(classes["auc"]))),
        **_decided(labels, predictions, multi_label=True),
        "scored_classes": float(np.isfinite(classes["auc"]).sum()),
    }
    if "threshold" in classes:
        result["tuned_micro_f1"] = _micro_f1(labels, predictions >= classes["threshold"])
        result["tuned_macro_f1"] = mean(classes["tuned_f1"])
    return result


def score(name: str, labels: Floats, predictions: Floats, *, multi_label: bool) -> float:
    """Return one metric of `ClipScores` alone, which is faster than `scores`.

    Args:
        name: A metric that `kerasnas.measures.scores` lists, but losses and `channel_macro_f1`.
        labels: Zeros and ones, `(clips, classes)`.
        predictions: Scores of the same clips.
        multi_label: Whether clips carry any number of labels.
    """
    if multi_label and name in CLASS_MEANS:
        return mean(_ranked(CLASS_MEANS[name], labels, predictions))
    return _decided(labels, predictions, multi_label)[name]


def _decided(labels: Floats, predictions: Floats, multi_label: bool) -> dict[str, float]:
    """Return the metrics of decisions: of the highest scores, or of those of 0.5 and above."""
    if multi_label:
        chosen = predictions >= DEFAULT
        return {
            "accuracy": float((chosen == (labels > 0.5)).mean()),
            "micro_f1": _micro_f1(labels, chosen),
            "macro_f1": macro_f1(labels, chosen),
        }
    chosen = np.eye(labels.shape[1])[predictions.argmax(axis=1)]
    return {
        "accuracy": float((labels.argmax(axis=1) == predictions.argmax(axis=1)).mean()),
        "balanced_accuracy": balanced_accuracy(labels, predictions),
        "macro_f1": macro_f1(labels, chosen),
    }


def by_class(
    labels: Floats, predictions: Floats, thresholds: NDArray[np.float64] | None = None
) -> ByClass:
    """Return what `ClipScores` holds of every class."""
    result = {
        "positives": (labels > 0.5).sum(axis=0).astype(np.float64),
        "average_precision": _ranked("average_precision", labels, predictions),
        "auc": (areas := _ranked("auc", labels, predictions)),
        "d_prime": d_prime(areas),
        "equal_error_rate": _ranked("equal_error_rate", labels, predictions),
        "f1": _f1(labels, predictions >= DEFAULT),
    }
    if thresholds is not None:
        result |= {"threshold": thresholds, "tuned_f1": _f1(labels, predictions >= thresholds)}
    return result


def categorical_crossentropy(labels: Floats, predictions: Floats) -> float:
    """Mean of -sum y log p, natural logarithm; predictions are rescaled to a sum of 1."""
    shares = predictions.astype(np.float64)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), _EPSILON)
    logarithms = np.log(np.clip(shares, _EPSILON, 1 - _EPSILON))
    return float(-(labels * logarithms).sum(axis=1).mean())


def binary_crossentropy(labels: Floats, predictions: Floats) -> float:
    """Mean over clips and classes of -(y log p + (1 - y) log(1 - p)), natural logarithm."""
    p = np.clip(predictions.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return float(-(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean())


_LOSSES: dict[Loss, Callable[[Floats, Floats], float]] = {
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
}


def balanced_loss(labels: Floats, predictions: Floats, loss: Loss) -> float:
    """Return the mean over the classes that occur of the mean loss of their clips."""
    classes = [labels[:, column] > 0.5 for column in np.flatnonzero((labels > 0.5).any(axis=0))]
    return mean(np.array([_LOSSES[loss](labels[own], predictions[own]) for own in classes]))


def confusion(labels: Floats, predictions: Floats) -> NDArray[np.int64]:
    """Return the number of clips by true class (rows) and highest-scored class (columns)."""
    classes = labels.shape[1]
    cells = labels.argmax(axis=1) * classes + predictions.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(labels: Floats, predictions: Floats) -> float:
    """Return the mean recall over the classes that occur, `(clips, classes)` each."""
    counts = confusion(labels, predictions)
    occurs = counts.sum(axis=1) > 0
    return mean(counts.diagonal()[occurs] / counts.sum(axis=1)[occurs])


def macro_f1(labels: Floats, chosen: NDArray[Any]) -> float:
    """Mean F1 over the classes that occur or are predicted; NaN when there is none."""
    return mean(_f1(labels, chosen))


def _f1_by_channel(outputs: Floats, examples: Examples) -> NDArray[np.float64]:
    """F1 of every class from each channel alone, `(channels, classes)`; see `_f1`."""
    rows = []
    for channel in range(examples.channels):
        own = examples.of_channel(channel)
        alone = replace(examples, clip=examples.clip[own], segment=examples.segment[own])
        chosen = np.eye(outputs.shape[1])[alone.clip_means(outputs[own]).argmax(axis=1)]
        rows.append(_f1(examples.clip_targets, chosen))
    return np.array(rows)


def _f1(labels: Floats, chosen: NDArray[Any]) -> NDArray[np.float64]:
    hits, wrong = _hits(labels, chosen)
    total = 2 * hits + wrong
    return np.divide(2 * hits, total, out=np.full(len(total), np.nan), where=total > 0)


def _micro_f1(labels: Floats, chosen: NDArray[Any]) -> float:
    hits, wrong = (counts.sum() for counts in _hits(labels, chosen))
    return float(2 * hits / (2 * hits + wrong)) if hits + wrong else float("nan")


def _hits(labels: Floats, chosen: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Per class: true positives; false positives and false negatives together."""
    truth, chosen = labels > 0.5, chosen.astype(bool)
    return (truth & chosen).sum(axis=0).astype(float), (truth ^ chosen).sum(axis=0).astype(float)


def _ranked(name: str, labels: Floats, predictions: Floats) -> NDArray[np.float64]:
    """Return a value of every class; NaN where it has no positive or no negative clip."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    metric: Callable[..., float] = {
        "average_precision": average_precision_score,
        "auc": roc_auc_score,
        "equal_error_rate": equal_error_rate,
    }[name]
    columns: Sequence[tuple[Any, Any]] = list(zip(labels.T, predictions.T, strict=True))
    return np.array(
        [
            metric(truth, column) if 0 < (truth > 0.5).sum() < len(truth) else np.nan
            for truth, column in columns
        ]
    )


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the finite values; NaN when there is none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
