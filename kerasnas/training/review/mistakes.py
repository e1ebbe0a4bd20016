"""Which held-out clips are worth hearing: those a network gets wrong, and those it is unsure of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.scoring.thresholds import DEFAULT

Floating = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Mistake:
    """A clip to hear.

    Attributes:
        row: Row of the clip in what was given.
        label: Index of the class that it is labelled with; None for a tag that it lacks.
        answer: Index of the class that was answered; None for a tag that was missed.
        score: Of the answer; of the missed tag where there is no answer.
    """

    row: int
    label: int | None
    answer: int | None
    score: float

    @property
    def wrong(self) -> bool:
        """Whether the answer is wrong; else it is right, but unsure."""
        return self.label != self.answer


def mistakes(
    labels: NDArray[Any],
    predictions: Floating,
    *,
    multi_label: bool,
    thresholds: Floating | None = None,
    per_pair: int = 3,
    unsure: int = 5,
) -> list[Mistake]:
    """Return the clips worth hearing: the most confused pairs of classes first, then unsure ones.

    With one label per clip, pairs are of label and answer, and within a pair the surest answers
    come first. Of several labels, each tag's misses and false alarms are a pair, the surest first.

    Args:
        labels: Zeros and ones, `(clips, classes)`.
        predictions: Scores of the same clips.
        multi_label: Whether clips carry any number of labels.
        thresholds: From which score on each tag counts as given, `(classes,)`; None is 0.5.
        per_pair: Number of clips of one pair, at most.
        unsure: Number of right answers with the smallest lead over the next class, at most; with
            several labels, of tags nearest to their thresholds.
    """
    truth = np.asarray(labels) > 0.5
    if multi_label:
        limits = np.full(truth.shape[1], DEFAULT) if thresholds is None else thresholds
        wrong, right = _tags(truth, predictions, limits)
    else:
        wrong, right = _classes(truth, predictions)
    pairs: dict[tuple[int | None, int | None], list[tuple[float, Mistake]]] = defaultdict(list)
    for sure, mistake in wrong:
        pairs[mistake.label, mistake.answer].append((sure, mistake))
    ordered = sorted(pairs.values(), key=len, reverse=True)
    chosen = [pair for each in ordered for pair in sorted(each, key=_surest)[:per_pair]]
    chosen += sorted(right, key=lambda pair: (pair[0], pair[1].row))[:unsure]
    return [mistake for _, mistake in chosen]


def _surest(pair: tuple[float, Mistake]) -> tuple[float, int]:
    return -pair[0], pair[1].row


_Answers = list[tuple[float, Mistake]]
"""With how sure each is: the lead over the next class, or the distance from a threshold."""


def _classes(truth: NDArray[np.bool_], predictions: Floating) -> tuple[_Answers, _Answers]:
    """Return wrong answers and right ones."""
    wrong: _Answers = []
    right: _Answers = []
    for row, scores in enumerate(predictions):
        label, answer = int(truth[row].argmax()), int(scores.argmax())
        second, first = np.partition(scores, -2)[-2:]
        lead = float(first - (second if label == answer else scores[label]))
        (right if label == answer else wrong).append(
            (lead, Mistake(row, label, answer, float(first)))
        )
    return wrong, right


def _tags(
    truth: NDArray[np.bool_], predictions: Floating, thresholds: Floating
) -> tuple[_Answers, _Answers]:
    """Return wrong decisions, and present tags that were given."""
    given = predictions >= thresholds
    wrong: _Answers = []
    right: _Answers = []
    for row, tag in np.argwhere(truth | given).tolist():
        distance = abs(float(predictions[row, tag] - thresholds[tag]))
        label = tag if truth[row, tag] else None
        answer = tag if given[row, tag] else None
        found = distance, Mistake(row, label, answer, float(predictions[row, tag]))
        (right if label == answer else wrong).append(found)
    return wrong, right
