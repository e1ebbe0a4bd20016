"""How good decisions over time are on streams whose events are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerasnas.decisions.bound import Rate
from kerasnas.decisions.events import Detection, Event
from kerasnas.decisions.matching import Alarm, f1, hear, pairs
from kerasnas.decisions.settings import OTHER, DecisionSettings
from kerasnas.decisions.sources import rates
from kerasnas.decisions.sweep import ScoredStream
from kerasnas.decisions.whole import decide

_RESAMPLES = 2000


@dataclass(frozen=True)
class Measured:
    """What decisions come to, of one class or of all.

    Attributes:
        events: True events.
        misses: Those that were not hit.
        f1: Of events with onsets within 200 ms, as sed_eval has it; None without any event.
        f1_offset: The same where offsets count, too.
        rate: False alarms per hour, with their bound.
        latency: Median and 95th percentile of the seconds from the start of an event that was hit
            until it was known; None where none was.
    """

    events: int
    misses: int
    f1: float | None
    f1_offset: float | None
    rate: Rate
    latency: tuple[float, float] | None


@dataclass(frozen=True)
class StreamMeasured:
    """What came of one stream.

    Attributes:
        found: Its detections.
        hits: For each of its true events, whether it was hit.
        alarms: Its false alarms.
        delays: Of the events that were hit.
    """

    found: tuple[Detection, ...]
    hits: tuple[bool, ...]
    alarms: tuple[Alarm, ...]
    delays: tuple[float, ...]


def decided(
    streams: Sequence[ScoredStream], labels: Sequence[str], settings: DecisionSettings
) -> list[StreamMeasured]:
    """Decide on streams and hold the detections against their events.

    Args:
        streams: With the scores of a network.
        labels: Names of its classes.
        settings: How to decide.
    """
    measured = []
    for stream in streams:
        found = decide(settings, labels, stream.starts, stream.scores)
        heard = hear(known_events(stream, labels), found)
        measured.append(StreamMeasured(found, heard.hits, heard.alarms, heard.delays))
    return measured


def known_events(stream: ScoredStream, labels: Sequence[str]) -> tuple[Event, ...]:
    """Return the events of a stream that a network can tell, in their order."""
    return tuple(event for event in stream.events if event.label in labels and event.label != OTHER)


def measure(
    streams: Sequence[ScoredStream],
    labels: Sequence[str],
    measured: Sequence[StreamMeasured],
) -> tuple[Measured, dict[str, Measured]]:
    """Return figures of all classes together, and of each.

    Args:
        streams: With the scores of a network.
        labels: Names of its classes; `other` has no figures.
        measured: As from `decided`.
    """
    names = [label for label in labels if label != OTHER]
    timelines = [
        (stream.timeline, each.alarms) for stream, each in zip(streams, measured, strict=True)
    ]
    everything, by_class = rates(timelines, names)
    return (
        _of(streams, labels, measured, None, everything),
        {name: _of(streams, labels, measured, name, by_class[name]) for name in names},
    )


def _of(
    streams: Sequence[ScoredStream],
    labels: Sequence[str],
    measured: Sequence[StreamMeasured],
    label: str | None,
    rate: Rate,
) -> Measured:
    right = right_offset = found = events = misses = 0
    delays: list[float] = []
    for stream, each in zip(streams, measured, strict=True):
        known = known_events(stream, labels)
        mine = [event for event in known if label in (None, event.label)]
        detected = [event for event in each.found if label in (None, event.label)]
        right += pairs(mine, detected)
        right_offset += pairs(mine, detected, offset=True)
        events, found = events + len(mine), found + len(detected)
        hit = [event for event, heard in zip(known, each.hits, strict=True) if heard]
        late = [
            delay
            for event, delay in zip(hit, each.delays, strict=True)
            if label in (None, event.label)
        ]
        misses += len(mine) - len(late)
        delays += late
    low_high = np.percentile(delays, (50, 95)).round(4).tolist() if delays else None
    return Measured(
        events,
        misses,
        f1(right, events, found),
        f1(right_offset, events, found),
        rate,
        None if low_high is None else (low_high[0], low_high[1]),
    )


def change(
    streams: Sequence[ScoredStream],
    labels: Sequence[str],
    before: Sequence[StreamMeasured],
    after: Sequence[StreamMeasured],
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """Return what changed from one network to another on the same streams, with 95 % intervals.

    Percentile intervals of a bootstrap over the distinct sources of the streams (Efron &
    Tibshirani, "An introduction to the bootstrap", 1993, section 13.3): what is of one source is
    drawn together. Few sources make them too narrow.

    Args:
        streams: Their events and sources.
        labels: Names of the first network's classes, which the second one has, too.
        before: Of the first network.
        after: Of the second one.
        seed: Of the resamples.

    Returns:
        `alarms_per_hour` and `misses`: the difference, and its lowest and highest value.
    """
    names = sorted({part.source for stream in streams for part in stream.timeline.parts})
    place = {name: index for index, name in enumerate(names)}
    hours, alarms, misses = np.zeros((3, len(names)))
    for stream, old, new in zip(streams, before, after, strict=True):
        timeline = stream.timeline
        for part, seconds in zip(timeline.parts, timeline.seconds(), strict=True):
            hours[place[part.source]] += seconds / 3600
        for sign, each in ((-1, old), (1, new)):
            for alarm in each.alarms:
                alarms[place[timeline.source(alarm.start)]] += sign * alarm.count
        events = known_events(stream, labels)
        for event, once, now in zip(events, old.hits, new.hits, strict=True):
            misses[place[timeline.source(event.start)]] += int(once) - int(now)
    heard = hours > 0
    hours, alarms, misses = hours[heard], alarms[heard], misses[heard]
    drawn = np.random.default_rng(seed).integers(0, len(hours), (_RESAMPLES, len(hours)))
    rates = alarms[drawn].sum(axis=1) / hours[drawn].sum(axis=1)
    missed = misses[drawn].sum(axis=1)
    found = {}
    for name, value, resampled in (
        ("alarms_per_hour", alarms.sum() / hours.sum(), rates),
        ("misses", misses.sum(), missed),
    ):
        low, high = np.percentile(resampled, (2.5, 97.5))
        found[name] = float(value), float(low), float(high)
    return found
