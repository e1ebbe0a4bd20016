"""Detected events held against true ones.

Two questions, two rules:

- **Event F1** asks for exact onsets, as sed_eval defines it (Mesaros, Heittola, Virtanen, "Metrics
  for polyphonic sound event detection", Applied Sciences 6(6), 2016, section 3.2; DCASE uses it): a
  detection is right when it has the label of a true event whose start is at most 200 ms away and,
  where offsets count, whose stop is at most 200 ms or half of its length away; either takes part in
  one pair at most. As in sed_eval, pairs are as many as can be made.
- **Misses and false alarms** ask whether somebody was told: a true event is hit when a detection
  of its class overlaps it or comes within 200 ms of it, and a detection that comes near no event of
  its class is a false alarm. One that never ends would be a single alarm, or hit everything: each
  whole 10 s that a detection spends outside of events of its class counts as another alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from kerasnas.decisions.events import Detection, Event

Floats = NDArray[np.float64]

COLLAR = 0.2
"""Seconds."""
OFFSET_SHARE = 0.5
"""Of a true event's length, where that is more than the collar."""
LONG = 10.0
"""Seconds outside of events after which a detection that goes on is another alarm."""

_ROUNDING = 1e-9


def pairs(
    truth: Sequence[Event], found: Sequence[Event], *, collar: float = COLLAR, offset: bool = False
) -> int:
    """Return how many detections are right, by sed_eval's rule.

    Args:
        truth: True events of one recording.
        found: Detected events of the same.
        collar: Most that starts may be apart, seconds.
        offset: Whether stops count, too.
    """
    right = 0
    for label in {event.label for event in truth}:
        start, stop = _times(truth, label)
        begun, ended = _times(found, label)
        fits = np.abs(start[:, None] - begun) <= collar + _ROUNDING
        if offset:
            reach = np.maximum(collar, OFFSET_SHARE * (stop - start)) + _ROUNDING
            fits &= np.abs(stop[:, None] - ended) <= reach[:, None]
        rows, columns = linear_sum_assignment(fits.astype(np.float64), maximize=True)
        right += int(fits[rows, columns].sum())
    return right


def f1(right: int, truth: int, found: int) -> float | None:
    """Return the F1 score of so many right detections; None where there is nothing to find."""
    return 2 * right / (truth + found) if truth + found else None


@dataclass(frozen=True)
class Alarm:
    """A false alarm.

    Attributes:
        label: Its class.
        start: When the detection starts, seconds.
        count: How many alarms it is.
    """

    label: str
    start: float
    count: int


@dataclass(frozen=True)
class Heard:
    """What came of a recording.

    Attributes:
        hits: For each true event, whether it was hit.
        delays: For each true event that was hit, in their order, the seconds from its start until
            it was known; below 0 where it was known before.
        alarms: False alarms, in the order of the detections.
    """

    hits: tuple[bool, ...]
    delays: tuple[float, ...]
    alarms: tuple[Alarm, ...]


def hear(truth: Sequence[Event], found: Sequence[Detection], collar: float = COLLAR) -> Heard:
    """Return hits, delays and false alarms of one recording.

    Args:
        truth: Its true events; those of one class do not overlap.
        found: Its detections; those of one class do not overlap.
        collar: How near a detection has to come, seconds.
    """
    hits, delays = np.zeros(len(truth), bool), np.zeros(len(truth))
    alarms = []
    for label in {event.label for event in (*truth, *found)}:
        rows = _rows(truth, label)
        mine = [found[row] for row in _rows(found, label)]
        heard, first, counts = near(*_times(truth, label), *_times(mine, label), collar)
        hits[rows] = heard
        known = np.array([mine[index].decided for index in first[heard]])
        delays[rows[heard]] = known - np.array([truth[row].start for row in rows[heard]])
        alarms += [
            Alarm(label, event.start, int(count))
            for event, count in zip(mine, counts, strict=True)
            if count
        ]
    return Heard(
        tuple(hits.tolist()),
        tuple(delays[hits].tolist()),
        tuple(sorted(alarms, key=lambda alarm: alarm.start)),
    )


def near(
    start: Floats, stop: Floats, begun: Floats, ended: Floats, collar: float = COLLAR
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Return hits and false alarms of one class of one recording.

    Args:
        start: Where true events start, seconds, rising.
        stop: Where they stop, rising.
        begun: Where detections start, rising.
        ended: Where they stop, rising.
        collar: How near a detection has to come, seconds.

    Returns:
        Whether each true event is hit, the first detection near it (where it is), and how many
        false alarms each detection is.
    """
    first = np.searchsorted(ended, start - collar)
    there = first < len(begun)
    hits = np.zeros(len(start), bool)
    hits[there] = begun[first[there]] <= stop[there] + collar
    last = np.searchsorted(start, ended + collar, side="right") - 1  # the last that starts in time
    right = last >= 0
    right[right] = stop[last[right]] >= begun[right] - collar
    outside = ended - begun - (_sounded(start, stop, ended) - _sounded(start, stop, begun))
    counts = (~right).astype(np.int64) + np.floor((outside + _ROUNDING) / LONG).astype(np.int64)
    return hits, first, counts


def _sounded(start: Floats, stop: Floats, moments: Floats) -> Floats:
    """Return for how long events, which do not overlap, have sounded until some moments."""
    if not len(start):
        return np.zeros_like(moments)
    edges = np.column_stack([start, stop]).ravel()
    total = np.column_stack([np.zeros_like(start), stop - start]).ravel().cumsum()
    return np.interp(moments, edges, total)


def _rows(events: Sequence[Event], label: str) -> NDArray[np.int64]:
    """Return the indices of the events of a class, in order of their starts."""
    rows = [index for index, event in enumerate(events) if event.label == label]
    return np.array(sorted(rows, key=lambda index: events[index].start), np.int64)


def _times(events: Sequence[Event], label: str) -> tuple[Floats, Floats]:
    chosen = [events[row] for row in _rows(events, label)]
    return (
        np.array([event.start for event in chosen], np.float64),
        np.array([event.stop for event in chosen], np.float64),
    )
