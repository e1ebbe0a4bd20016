"""The post-processing itself: one window's scores in, events out.

For each window and class: the score is smoothed over the last windows; an event begins when the
smoothed score has reached `threshold` in `minimum_windows` windows one after another, and ends with
the first window below `release`; after it, none of the class begins for `refractory_seconds`.

A window speaks for `hop_seconds` round its middle, so that consecutive windows speak for all of the
recording once. An event starts where the first of its `minimum_windows` windows speaks from (plus
`onset_shift_seconds`), and stops where the last window above `release` speaks to; both are moved
forward by the smoothing's lag (`DecisionSettings.lag`).

docs/streams.md has the same in Python without dependencies and in C, with golden inputs and
outputs. `kerasnas.decisions.whole` decides on all windows of a recording at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasnas.decisions.events import Detection
from kerasnas.decisions.settings import ClassDecisions, DecisionSettings
from kerasnas.errors import KerasnasError


class Decider:
    """Turns scores into events, window by window.

    Example:
        >>> settings = DecisionSettings.untuned(["rain", "dog"], window_seconds=1.0)
        >>> decider = Decider(settings, ["rain", "dog"])
        >>> for number, scores in enumerate([[0.1, 0.2], [0.9, 0.1], [0.9, 0.1], [0.0, 0.1]]):
        ...     for event in decider.push(number * settings.hop_seconds, scores):
        ...         print(event.label, "begins" if event.lasts else "ends")
        rain begins
        >>> [event.label for event in decider.finish()]
        ['rain']
    """

    def __init__(self, settings: DecisionSettings, labels: Sequence[str]) -> None:
        """Begin a recording.

        Args:
            settings: How to decide.
            labels: Names of the network's classes, in the order of its scores.

        Raises:
            KerasnasError: The settings are of a class that the network does not have.
        """
        self._settings = settings
        self._columns = columns(settings, labels)
        self._states = [_State(name, settings) for name in settings.classes]
        self._labels = len(labels)
        self._last: deque[NDArray[np.float64]] = deque(maxlen=settings.smoothing_windows)
        self._mean: NDArray[np.float64] | None = None
        self._index = 0

    def push(self, start: float, scores: ArrayLike) -> tuple[Detection, ...]:
        """Take the next window.

        Args:
            start: Where it begins, seconds from the start of the recording; later than the last.
            scores: `(classes,)`, 0 to 1, one for each of the labels.

        Returns:
            Events that begin with this window (`lasts` is true), and those that end (false): each
            event is returned twice, with `finish` at the latest.

        Raises:
            KerasnasError: There are more or fewer scores than labels.
        """
        row = np.asarray(scores, np.float64)
        if row.shape != (self._labels,):
            raise KerasnasError(
                f"scores of shape {row.shape} do not fit {self._labels} labels: give one score for "
                "each"
            )
        smooth = self._smoothed(row[self._columns])
        middle = start + self._settings.window_seconds / 2 - self._settings.lag(self._index)
        self._index += 1
        found = [
            event
            for state, score in zip(self._states, smooth.tolist(), strict=True)
            if (event := state.step(start, middle, score)) is not None
        ]
        return tuple(found)

    def finish(self) -> tuple[Detection, ...]:
        """End the recording: return the events that still last, ended."""
        return tuple(ended for state in self._states if (ended := state.end()) is not None)

    def _smoothed(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        match self._settings.smoothing:
            case "none":
                return row
            case "exponential":
                weight = self._settings.newest_weight
                before = row if self._mean is None else self._mean
                self._mean = weight * row + (1 - weight) * before
                return self._mean
            case "mean":
                self._last.append(row)
                total = np.zeros_like(row)
                for each in self._last:  # in this order, so that C adds up to the same bits
                    total += each
                return total / len(self._last)
            case "median":
                self._last.append(row)
                return np.asarray(np.median(np.stack(self._last), axis=0))


class _State:
    """One class: whether an event lasts, and what it needs to begin."""

    def __init__(self, label: str, settings: DecisionSettings) -> None:
        self._label = label
        self._class: ClassDecisions = settings.classes[label]
        self._window, self._hop = settings.window_seconds, settings.hop_seconds
        self._reached: deque[float] = deque(maxlen=self._class.minimum_windows)  # middles
        self._free_from = -np.inf
        self._event: Detection | None = None

    def step(self, start: float, middle: float, score: float) -> Detection | None:
        """Take a smoothed score; return an event that begins or ends with it."""
        if score >= self._class.threshold:
            self._reached.append(middle)
        else:
            self._reached.clear()
        if self._event is not None:
            if score < self._class.release:
                self._free_from = start + self._class.refractory_seconds
                return self.end()
            self._event = replace(
                self._event,
                stop=max(middle + self._hop / 2, self._event.start),
                score=max(self._event.score, score),
            )
        elif len(self._reached) == self._class.minimum_windows and start >= self._free_from:
            begun = max(self._reached[0] - self._hop / 2 + self._class.onset_shift_seconds, 0.0)
            stop = max(middle + self._hop / 2, begun)
            decided = start + self._window
            self._event = Detection(self._label, begun, stop, score, decided, lasts=True)
            return self._event
        return None

    def end(self) -> Detection | None:
        """Return the event that lasts, ended; None where none does."""
        event, self._event = self._event, None
        return None if event is None else replace(event, lasts=False)


def columns(settings: DecisionSettings, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return which scores are those of the classes in the settings, `(classes of settings,)`.

    Raises:
        KerasnasError: The settings are of a class that the network does not have.
    """
    place = {name: index for index, name in enumerate(labels)}
    if unknown := [name for name in settings.classes if name not in place]:
        raise KerasnasError(
            f"the post-processing is for a class {unknown[0]}, which the network does not have; it "
            f"has {', '.join(labels)}: keep the files of one export together, or run `kerasnas "
            "tune-decisions` again"
        )
    return np.array([place[name] for name in settings.classes], np.int64)
