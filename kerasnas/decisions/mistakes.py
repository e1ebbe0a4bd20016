"""The mistakes that a network is surest of on streams: what to train it on next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasnas.decisions.matching import COLLAR
from kerasnas.decisions.measure import known_events
from kerasnas.decisions.settings import OTHER
from kerasnas.decisions.sweep import ScoredStream

_HALF = 0.5


@dataclass(frozen=True)
class Mistake:
    """A window that a network takes for something else.

    Attributes:
        start: Where the window begins, seconds.
        heard: The class that the network hears; None for an event that it misses.
        listed: The class that the list of events has there; None for none.
        sureness: Score of what is heard; of a missed event, 1 less its highest score.
    """

    start: float
    heard: str | None
    listed: str | None
    sureness: float


def mistakes(stream: ScoredStream, labels: Sequence[str], window_seconds: float) -> list[Mistake]:
    """Return the mistakes of a stream, the surest first, no two of which share any sound.

    A window that touches no event is a false alarm of the class with its highest score, unless that
    is `other`.

    Args:
        stream: With the scores of a network.
        labels: Names of its classes.
        window_seconds: Length of a window.
    """
    found = _false_alarms(stream, labels, window_seconds)
    found += _misses(stream, labels, window_seconds)
    chosen: list[Mistake] = []
    free = np.ones(len(stream.starts), bool)  # windows that share no sound with one that is chosen
    for mistake in sorted(found, key=lambda each: (-each.sureness, each.start)):
        if free[np.searchsorted(stream.starts, mistake.start)]:
            free &= np.abs(stream.starts - mistake.start) >= window_seconds
            chosen.append(mistake)
    return chosen


def _false_alarms(
    stream: ScoredStream, labels: Sequence[str], window_seconds: float
) -> list[Mistake]:
    silent = np.array([label == OTHER for label in labels])
    scores = np.where(silent, -np.inf, stream.scores)
    best = scores.argmax(axis=1)
    # Where `other` scores highest the network is not taken in.
    taken = scores[np.arange(len(best)), best] >= stream.scores.max(axis=1)
    starts, stops = stream.starts, stream.starts + window_seconds
    touched = np.zeros(len(starts), bool)
    for event in known_events(stream, labels):
        touched |= (starts < event.stop + COLLAR) & (stops > event.start - COLLAR)
    rows = np.flatnonzero(taken & ~touched)
    return [
        Mistake(float(starts[row]), labels[int(best[row])], None, float(scores[row, best[row]]))
        for row in rows.tolist()
    ]


def _misses(stream: ScoredStream, labels: Sequence[str], window_seconds: float) -> list[Mistake]:
    """Return the events whose class scores below a half in every window that touches them."""
    found = []
    stops = stream.starts + window_seconds
    for event in known_events(stream, labels):
        column = list(labels).index(event.label)
        near = np.flatnonzero((stream.starts < event.stop) & (stops > event.start))
        if not len(near):
            continue
        row = int(near[stream.scores[near, column].argmax()])
        score = float(stream.scores[row, column])
        if score >= _HALF:
            continue
        best = labels[int(stream.scores[row].argmax())]
        heard = None if best in (OTHER, event.label) else best
        found.append(Mistake(float(stream.starts[row]), heard, event.label, 1 - score))
    return found
