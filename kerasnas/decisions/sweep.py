"""Choosing decisions over time on streams whose events are known: misses against false alarms.

Under each smoothing, every class has all combinations of `_MINIMUM_WINDOWS`, `_RELEASES`,
`_REFRACTORY` and `THRESHOLDS` as options. The classes share the false alarms that are allowed:
among all ways to share them, the one with the fewest misses in all is found exactly (a knapsack
with whole alarms), and the smoothing with the fewest misses is taken. Where several settings do
equally well, the simpler ones are taken, and of their thresholds the middle one, which is farthest
from the next alarm and from the next miss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor

import numpy as np
from numpy.typing import NDArray

from kerasnas.decisions.events import Event
from kerasnas.decisions.matching import near
from kerasnas.decisions.settings import OTHER, ClassDecisions, DecisionSettings, Smoothing
from kerasnas.decisions.sources import Timeline
from kerasnas.decisions.whole import Floats, edges, middles, smoothed, spans

THRESHOLDS = tuple((1 / (1 + np.exp(-np.linspace(-5, 8, 53)))).round(5).tolist())
"""From 0.007 to 0.9997, evenly in log odds."""

_SMOOTHINGS: tuple[tuple[Smoothing, int], ...] = (
    ("none", 1),
    ("mean", 3),
    ("mean", 5),
    ("median", 3),
    ("median", 5),
    ("exponential", 3),
    ("exponential", 5),
)
_MINIMUM_WINDOWS = (1, 2, 3)
_RELEASES = (1.0, 0.5)  # of the threshold
_REFRACTORY = (0.0, 1.0)  # seconds
_FEWEST_SHIFTED = 5  # hits that tell how early starts are


@dataclass(frozen=True)
class ScoredStream:
    """A stream with the scores of a network.

    Attributes:
        name: For messages.
        seconds: Its length.
        events: What sounds in it.
        timeline: What it comes from.
        starts: Where windows begin, seconds, `(windows,)`.
        scores: `(windows, classes)`.
    """

    name: str
    seconds: float
    events: tuple[Event, ...]
    timeline: Timeline
    starts: Floats
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """What one class's settings come to.

    Attributes:
        settings: They.
        alarms: False alarms.
        misses: True events that are not hit.
    """

    settings: ClassDecisions
    alarms: int
    misses: int


def choose(
    streams: Sequence[ScoredStream],
    labels: Sequence[str],
    window_seconds: float,
    hop_seconds: float,
    per_hour: float,
    *,
    plain: bool = False,
) -> DecisionSettings:
    """Return the settings with the fewest misses at so many false alarms per hour.

    Args:
        streams: To choose on.
        labels: Names of the network's classes, in the order of its scores; `other` makes no events.
        window_seconds: Length of a window.
        hop_seconds: Time between windows.
        per_hour: False alarms that are allowed, in all classes together. Rounded down to whole
            alarms in these streams: of less than an hour and 1 an hour, none.
        plain: Nothing but a threshold for each class, to compare with.

    Returns:
        Settings of each class that can keep to it; others make no events.
    """
    allowed = floor(per_hour * sum(stream.seconds for stream in streams) / 3600 + 1e-9)
    names = [name for name in labels if name != OTHER]
    best: tuple[int, int] | None = None
    chosen: DecisionSettings | None = None
    for smoothing, windows in _SMOOTHINGS[: 1 if plain else None]:
        common = DecisionSettings(
            window_seconds=window_seconds,
            hop_seconds=hop_seconds,
            smoothing=smoothing,
            smoothing_windows=windows,
            classes={name: ClassDecisions() for name in names},
        )
        tables = {
            name: list(points(streams, labels, common, name, _options(plain))) for name in names
        }
        taken = share(list(tables.values()), allowed)
        misses = sum(point.misses for point in taken)
        alarms = sum(point.alarms for point in taken)
        if best is None or (misses, alarms) < best:
            best = misses, alarms
            settings = {
                name: _middle(point, tables[name]).settings
                for name, point in zip(names, taken, strict=True)
                if point.settings.threshold <= 1
            }
            chosen = common.model_copy(update={"classes": settings})
    assert chosen is not None  # there is one smoothing at least
    return chosen if plain else _shifted(streams, labels, chosen)


def curve(
    streams: Sequence[ScoredStream], labels: Sequence[str], settings: DecisionSettings, label: str
) -> list[Point]:
    """Return misses against false alarms of one class as its threshold rises.

    Args:
        streams: To count on.
        labels: Names of the network's classes.
        settings: Its other settings; release stays the same share of the threshold.
        label: The class.
    """
    own = settings.classes[label]
    ratio = own.release / own.threshold if own.threshold else 1.0
    options = [
        own.model_copy(update={"threshold": each, "release": each * ratio}) for each in THRESHOLDS
    ]
    return list(points(streams, labels, settings, label, options))


def points(
    streams: Sequence[ScoredStream],
    labels: Sequence[str],
    common: DecisionSettings,
    label: str,
    options: Sequence[ClassDecisions],
) -> Iterator[Point]:
    """Yield what each of a class's options comes to on streams.

    Args:
        streams: To count on.
        labels: Names of the network's classes.
        common: Windows and smoothing.
        label: The class.
        options: Settings of the class.
    """
    column = list(labels).index(label)
    prepared = [(*_prepared(stream, column, common), _truth(stream, label)) for stream in streams]
    for option in options:
        alarms = misses = 0
        for starts, times, scores, truth in prepared:
            begun, ended = edges(option, common, times, *spans(option, starts, scores))
            hits, _, counts = near(*truth, begun, ended)
            misses += int((~hits).sum())
            alarms += int(counts.sum())
        yield Point(option, alarms, misses)


def _prepared(
    stream: ScoredStream, column: int, common: DecisionSettings
) -> tuple[Floats, Floats, Floats]:
    """Return starts of windows, moments that they are about, and smoothed scores of a class."""
    scores = np.asarray(stream.scores[:, column : column + 1], np.float64)
    return stream.starts, middles(common, stream.starts), smoothed(common, scores)[:, 0]


def _truth(stream: ScoredStream, label: str) -> tuple[Floats, Floats]:
    """Return where true events of a class start and stop."""
    times = sorted((event.start, event.stop) for event in stream.events if event.label == label)
    start, stop = np.array(times, np.float64).reshape(-1, 2).T
    return start, stop


def share(tables: Sequence[Sequence[Point]], allowed: int) -> list[Point]:
    """Return a point of each class: those with the fewest misses whose alarms are few enough.

    Args:
        tables: The points of each class.
        allowed: Most alarms of all classes together.

    Returns:
        In the order of the tables; of equally many misses those with the fewest alarms.
    """
    # best[a]: misses and points of the classes so far with at most a alarms in all.
    best: list[tuple[int, int, tuple[Point, ...]]] = [(0, 0, ())] * (allowed + 1)
    for table in tables:
        front = _front(table, allowed)
        best = [
            min(
                (
                    (misses + point.misses, alarms + point.alarms, (*taken, point))
                    for point in front
                    if point.alarms <= most
                    for misses, alarms, taken in [best[most - point.alarms]]
                ),
                key=lambda found: found[:2],
            )
            for most in range(allowed + 1)
        ]
    return list(best[allowed][2])


def _front(table: Sequence[Point], allowed: int) -> list[Point]:
    """Return the points that no other beats, the first of equals, by rising alarms."""
    found: list[Point] = []
    for point in sorted(table, key=lambda point: (point.alarms, point.misses)):
        if point.alarms <= allowed and (not found or point.misses < found[-1].misses):
            found.append(point)
    return found


def _middle(point: Point, table: Sequence[Point]) -> Point:
    """Return the middle of the thresholds that do as well as a point, other settings alike."""

    def others(settings: ClassDecisions) -> tuple[object, ...]:
        ratio = round(settings.release / settings.threshold, 6)
        return settings.minimum_windows, settings.refractory_seconds, ratio

    alike = [
        other
        for other in table
        if (other.alarms, other.misses) == (point.alarms, point.misses)
        and others(other.settings) == others(point.settings)
    ]
    return alike[len(alike) // 2]


def _options(plain: bool) -> list[ClassDecisions]:
    """Return the settings of a class that are tried, the simplest first, and one that is silent."""
    ways = [(1, 1.0, 0.0)] if plain else product(_MINIMUM_WINDOWS, _RELEASES, _REFRACTORY)
    options = [
        ClassDecisions(
            threshold=threshold,
            release=threshold * ratio,
            minimum_windows=minimum,
            refractory_seconds=refractory,
        )
        for minimum, ratio, refractory in ways
        for threshold in THRESHOLDS
    ]
    return [*options, ClassDecisions(threshold=2.0, release=2.0)]


def _shifted(
    streams: Sequence[ScoredStream], labels: Sequence[str], settings: DecisionSettings
) -> DecisionSettings:
    """Return settings whose detections start, by the median, where events do."""
    changed = {}
    for label, own in settings.classes.items():
        early: list[float] = []
        for stream in streams:
            starts, times, scores = _prepared(stream, list(labels).index(label), settings)
            begun, ended = edges(own, settings, times, *spans(own, starts, scores))
            truth = _truth(stream, label)
            hits, which, _ = near(*truth, begun, ended)
            early += (truth[0][hits] - begun[which[hits]]).tolist()
        shift = float(np.median(early)) if len(early) >= _FEWEST_SHIFTED else 0.0
        changed[label] = own.model_copy(update={"onset_shift_seconds": round(shift, 3)})
    return settings.model_copy(update={"classes": changed})
