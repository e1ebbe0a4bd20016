"""Labels that are probably wrong, by the out-of-fold probabilities of a baseline.

Source: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in dataset labels",
Journal of Artificial Intelligence Research 70, 2021, sections 3.1 and 3.2: a class's threshold is
its self-confidence, the mean probability of the class over the clips that are labelled with it. A
clip counts as another class where that class's probability reaches its threshold (equation 2).

Deviations: a clip is suspected only where its own label's probability is below that label's
threshold and below the other class's; all such clips are ranked by the difference, and none are cut
off by an estimated number of errors. Several labels are told apart tag by tag, as present and
absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Suspect:
    """A clip whose labels are probably wrong.

    Attributes:
        index: Row of the clip in what was given.
        given: Indices of its labels.
        suggested: Indices of the labels that the probabilities speak for.
        margin: How much more probable the suggestion is than what was given, above 0 to 1.
        probabilities: Of all classes, `(classes,)`.
    """

    index: int
    given: tuple[int, ...]
    suggested: tuple[int, ...]
    margin: float
    probabilities: tuple[float, ...]


def suspects(
    labels: NDArray[Any], probabilities: Probabilities, *, multi_label: bool
) -> list[Suspect]:
    """Return the clips whose labels are probably wrong, the most probable first.

    Args:
        labels: Zeros and ones, `(clips, classes)`; with one label per clip exactly one 1 each.
        probabilities: Of the same clips, each from a model that was not fitted to the clip, as
            `MeasuredBaselines.out_of_fold`; NaN where that model did not know a class, which then
            is neither suspected nor suggested.
        multi_label: Whether clips carry any number of labels.
    """
    present = np.asarray(labels) > 0.5
    known = np.asarray(probabilities, np.float64)
    if multi_label:
        columns = zip(present.T, known.T, strict=True)
        margins = np.stack([_tag_margins(own, tag) for own, tag in columns], axis=1)
        suggested = present ^ (margins > 0)
    else:
        margins = _class_margins(present, known)
        suggested = np.eye(present.shape[1], dtype=bool)[margins.argmax(axis=1)]
    strength = margins.max(axis=1)
    rows = np.flatnonzero(strength > 0)
    return [
        Suspect(
            int(row),
            _indices(present[row]),
            _indices(suggested[row]),
            float(strength[row]),
            tuple(known[row].tolist()),
        )
        for row in rows[np.argsort(-strength[rows], kind="stable")]
    ]


def _class_margins(present: NDArray[np.bool_], known: Probabilities) -> Probabilities:
    """Return how much more probable than its label each class is, `(clips, classes)`.

    0 where a clip is not suspected.
    """
    thresholds = np.array([_mean(known[own, index]) for index, own in enumerate(present.T)])
    label = present.argmax(axis=1)
    own = known[np.arange(len(known)), label]
    suspected = (known >= thresholds) & ~present & (own < thresholds[label])[:, None]
    return np.maximum(np.where(suspected, known - own[:, None], 0), 0)


def _tag_margins(present: NDArray[np.bool_], known: Probabilities) -> Probabilities:
    """Return margins of one tag against what was given, `(clips,)`; 0 where it is not suspected."""
    both = _class_margins(
        np.stack([~present, present], axis=1), np.stack([1 - known, known], axis=1)
    )
    return both.max(axis=1)


def _mean(values: Probabilities) -> float:
    """Return the mean of the finite values; NaN, which nothing reaches, where there are none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _indices(row: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(row).tolist())
