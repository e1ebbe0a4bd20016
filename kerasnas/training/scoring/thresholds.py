"""From which score on a tag counts as heard: chosen on clips that are not tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DEFAULT = 0.5


def choose(labels: NDArray[Any], predictions: NDArray[Any]) -> NDArray[np.float64]:
    """Return the threshold of every class with the highest F1, `(classes,)`.

    Thresholds lie halfway between two scores that occur; of equally good ones the nearest to 0.5 is
    taken. A class without a positive clip keeps 0.5.

    Args:
        labels: Zeros and ones, `(clips, classes)`.
        predictions: Scores of the same clips.
    """
    columns = zip(labels.T, predictions.T, strict=True)
    return np.array([_choose(truth > 0.5, np.asarray(s, np.float64)) for truth, s in columns])


def _choose(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    if not truth.any():
        return DEFAULT
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    below = np.append(ordered[1:], ordered[-1])
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(truth) + 1) + truth.sum())
    f1[:-1][ordered[:-1] == below[:-1]] = 0.0  # equal scores are accepted together
    cuts = (ordered + below) / 2
    best = np.flatnonzero(f1 == f1.max())
    return float(cuts[best[np.argmin(np.abs(cuts[best] - DEFAULT))]])
