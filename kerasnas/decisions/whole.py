"""All windows of a recording at once: the same events as `Decider`, fast enough to try settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.decisions.decider import columns
from kerasnas.decisions.events import Detection
from kerasnas.decisions.settings import ClassDecisions, DecisionSettings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def decide(
    settings: DecisionSettings, labels: Sequence[str], starts: Floats, scores: NDArray[Any]
) -> tuple[Detection, ...]:
    """Return the events of a whole recording, in order of their starts.

    Args:
        settings: How to decide.
        labels: Names of the network's classes, in the order of its scores.
        starts: Where windows begin, seconds, `(windows,)`, rising.
        scores: `(windows, classes)`, 0 to 1.

    Raises:
        KerasnasError: The settings are of a class that the network does not have.
    """
    chosen = np.asarray(scores, np.float64)[:, columns(settings, labels)]
    smooth = smoothed(settings, chosen)
    times = middles(settings, starts)
    found = [
        event
        for place, (name, each) in enumerate(settings.classes.items())
        for event in of_class(name, each, settings, starts, times, smooth[:, place])
    ]
    return tuple(sorted(found, key=lambda event: (event.start, event.stop)))


def smoothed(settings: DecisionSettings, scores: Floats) -> Floats:
    """Return smoothed scores, `(windows, classes)`, the same bits as `Decider` computes."""
    count = min(settings.smoothing_windows, len(scores))
    match settings.smoothing:
        case "none":
            return scores
        case "exponential":
            if not len(scores):
                return scores
            from scipy.signal import lfilter

            weight = settings.newest_weight
            start = (1 - weight) * scores[:1]
            found, _ = lfilter([weight], [1, weight - 1], scores, axis=0, zi=start)
            return np.asarray(found)
        case "mean":
            total = np.zeros_like(scores)
            for back in range(count - 1, -1, -1):  # the oldest first, as there
                total[back:] += scores[: len(scores) - back]
            heard = np.minimum(np.arange(1, len(scores) + 1), max(count, 1))
            return total / heard[:, None]
        case "median":
            first = [np.median(scores[: end + 1], axis=0) for end in range(count - 1)]
            if not len(scores):
                return scores
            windows = np.lib.stride_tricks.sliding_window_view(scores, count, axis=0)
            rest = np.median(windows, axis=-1)
            return np.concatenate([np.reshape(first, (-1, scores.shape[1])), rest])


def middles(settings: DecisionSettings, starts: Floats) -> Floats:
    """Return the moments that smoothed scores are about, seconds, `(windows,)`."""
    lag = np.minimum(np.arange(len(starts)), settings.smoothing_windows - 1) / 2
    return starts + settings.window_seconds / 2 - lag * settings.hop_seconds


def of_class(
    label: str,
    settings: ClassDecisions,
    common: DecisionSettings,
    starts: Floats,
    times: Floats,
    scores: Floats,
) -> list[Detection]:
    """Return the events of one class.

    Args:
        label: Its name.
        settings: Its thresholds.
        common: Lengths of windows and hops.
        starts: Where windows begin, `(windows,)`.
        times: As from `middles`.
        scores: Its smoothed scores, `(windows,)`.
    """
    first, end = spans(settings, starts, scores)
    begun, ended = edges(settings, common, times, first, end)
    return [
        Detection(
            label,
            float(begun[event]),
            float(ended[event]),
            float(scores[first[event] : end[event]].max()),
            float(starts[first[event]] + common.window_seconds),
        )
        for event in range(len(first))
    ]


def edges(
    settings: ClassDecisions, common: DecisionSettings, times: Floats, first: Indices, end: Indices
) -> tuple[Floats, Floats]:
    """Return where events start and stop, seconds, `(events,)`.

    Args:
        settings: Of the class.
        common: Lengths of windows and hops.
        times: As from `middles`.
        first: As from `spans`.
        end: As from `spans`.
    """
    half = common.hop_seconds / 2
    begun = times[first - settings.minimum_windows + 1] - half + settings.onset_shift_seconds
    begun = np.maximum(begun, 0.0)
    return begun, np.maximum(times[end - 1] + half, begun)


def spans(settings: ClassDecisions, starts: Floats, scores: Floats) -> tuple[Indices, Indices]:
    """Return the windows in which events of one class begin, and those before which they end.

    Args:
        settings: Its thresholds.
        starts: Where windows begin, `(windows,)`.
        scores: Its smoothed scores, `(windows,)`.
    """
    reached = scores >= settings.threshold
    begins = np.flatnonzero(_consecutive(reached) >= settings.minimum_windows)
    ends = np.append(np.flatnonzero(scores < settings.release), len(scores))
    following = ends[np.searchsorted(ends, begins)]
    if not settings.refractory_seconds:
        stops, where = np.unique(following, return_index=True)
        return begins[where], stops
    first, last, free = list[int](), list[int](), 0
    while (at := int(np.searchsorted(begins, free))) < len(begins):
        end = int(following[at])
        first.append(int(begins[at]))
        last.append(end)
        if end == len(scores):
            break
        free = int(np.searchsorted(starts, starts[end] + settings.refractory_seconds))
    return np.array(first, np.int64), np.array(last, np.int64)


def _consecutive(reached: NDArray[np.bool_]) -> Indices:
    """Return for each window how many one after another are true up to it."""
    index = np.arange(1, len(reached) + 1)
    return np.asarray(index - np.maximum.accumulate(np.where(reached, 0, index)))
