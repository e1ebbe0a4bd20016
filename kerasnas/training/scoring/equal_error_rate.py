"""The equal error rate: where as many negatives are accepted as positives are missed.

As DCASE 2016 task 4 computes it: points of scikit-learn's ROC curve with (0, 0) in front, the first
point whose false positive rate reaches its false negative rate, and a straight line from the point
before. The mean over tags and folds leaves out what has no rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6  # the official script's


def equal_error_rate(truth: NDArray[Any], scores: NDArray[Any]) -> float:
    """Equal error rate of one tag, between 0 and 1; NaN without positives, or without negatives.

    Args:
        truth: Zeros and ones, `(clips,)`.
        scores: Higher for clips that rather carry the tag, `(clips,)`.
    """
    positive = np.asarray(truth) > 0.5
    if positive.all() or not positive.any():
        return float("nan")
    from sklearn.metrics import roc_curve

    false_positives, true_positives, _ = roc_curve(positive, scores)
    x, y = np.insert(false_positives, 0, 0.0), np.insert(true_positives, 0, 0.0)
    end = int(np.argmax(x + _TOLERANCE >= 1 - y))
    (x0, x1), (y0, y1) = x[end - 1 : end + 1], y[end - 1 : end + 1]
    if x1 - x0 < _TOLERANCE:
        return float(x0)
    slope = (y1 - y0) / (x1 - x0)
    return float((1 - y0 + slope * x0) / (1 + slope))


def over_folds(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rate of every tag over the folds in which it has one, `(tags,)`; NaN where none has.

    Args:
        rates: `(folds, tags)`, NaN where a tag has no rate in a fold.
    """
    known = np.isfinite(rates)
    sums = np.where(known, rates, 0.0).sum(axis=0)
    means = np.full(rates.shape[1], np.nan)
    return np.divide(sums, known.sum(axis=0), out=means, where=known.any(axis=0))
