"""What is heard when: which source a moment of a recording comes from, and for how long in all.

A stream that was put together from recordings has a list of them (`Part`). Where two overlap, the
later one in the list is heard on top: an event over its background.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kerasnas.decisions.bound import Rate, Source, rate
from kerasnas.decisions.matching import Alarm

_HOUR = 3600.0


@dataclass(frozen=True)
class Part:
    """A stretch of a stream that comes from one source.

    Attributes:
        source: Its name: what has the same name is the same sound, again.
        start: Where it begins, seconds.
        stop: Where it ends.
    """

    source: str
    start: float
    stop: float


@dataclass(frozen=True)
class Timeline:
    """Which part of a stream is heard at each moment.

    Attributes:
        parts: All of them; the first covers the whole stream.
        edges: Moments at which another part begins to be heard, seconds, rising, and the end.
        heard: Index of the part between each two edges.
    """

    parts: tuple[Part, ...]
    edges: tuple[float, ...]
    heard: tuple[int, ...]

    @classmethod
    def of(cls, name: str, seconds: float, parts: Iterable[Part] = ()) -> Timeline:
        """Lay the parts of a stream over each other, those later in the list on top.

        Args:
            name: Of the source of all that is of no part: the stream itself.
            seconds: Length of the stream.
            parts: What it was put together from.
        """
        known = (Part(name, 0.0, seconds), *parts)
        edges = np.unique([edge for part in known for edge in (part.start, part.stop)])
        heard = np.zeros(len(edges) - 1, np.int64)
        for index, part in enumerate(known):
            low, high = np.searchsorted(edges, (part.start, part.stop))
            heard[low:high] = index
        return cls(known, tuple(edges.tolist()), tuple(heard.tolist()))

    def source(self, moment: float) -> str:
        """Return the source that is heard at a moment, or at the nearest end of the stream."""
        place = int(np.searchsorted(self.edges, moment, side="right")) - 1
        return self.parts[self.heard[min(max(place, 0), len(self.heard) - 1)]].source

    def seconds(self) -> tuple[float, ...]:
        """Return how long each part is heard."""
        total = np.zeros(len(self.parts))
        for start, stop, index in zip(self.edges, self.edges[1:], self.heard, strict=False):
            total[index] += stop - start
        return tuple(total.tolist())


def rates(
    streams: Sequence[tuple[Timeline, Sequence[Alarm]]], labels: Iterable[str]
) -> tuple[Rate, dict[str, Rate]]:
    """Return the rate of all false alarms, and of those of each class.

    Args:
        streams: The sources of each stream, and its alarms.
        labels: Names of the classes.
    """
    longest, played = defaultdict[str, float](float), defaultdict[str, float](float)
    alarms = defaultdict[str, Counter[str]](Counter)
    for timeline, found in streams:
        for part, seconds in zip(timeline.parts, timeline.seconds(), strict=True):
            longest[part.source] = max(longest[part.source], seconds / _HOUR)
            played[part.source] += seconds / _HOUR
        for alarm in found:
            alarms[alarm.label][timeline.source(alarm.start)] += alarm.count

    def of(counts: Counter[str]) -> Rate:
        return rate(
            Source(hours, played[source], counts[source]) for source, hours in longest.items()
        )

    everything = sum(alarms.values(), Counter[str]())
    return of(everything), {label: of(alarms[label]) for label in labels}
