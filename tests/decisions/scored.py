"""Streams with made-up scores: events that score high, and sounds that are taken for them."""

import numpy as np

from kerasnas.decisions import Event
from kerasnas.decisions.sources import Timeline
from kerasnas.decisions.sweep import ScoredStream

LABELS = ("dog", "rain", "other")
WINDOW, HOP = 1.0, 0.25


def scored(
    seconds: float,
    events: list[tuple[str, float, float, float]],
    name: str = "a",
    seed: int = 0,
) -> ScoredStream:
    """A stream whose scores are those of what sounds.

    Args:
        seconds: Length.
        events: What sounds: label, start, stop and score; labels that begin with `not` are sounds
            that are taken for events.
        name: Of the stream and its source.
        seed: Of what is added to all scores.
    """
    starts = np.arange(0, seconds - WINDOW + 1e-9, HOP)
    scores = np.random.default_rng(seed).uniform(0, 0.05, (len(starts), len(LABELS)))
    middles = starts + WINDOW / 2
    for label, start, stop, score in events:
        column = LABELS.index(label.removeprefix("not "))
        scores[(middles >= start) & (middles < stop), column] = score
    scores[:, 2] = 1 - scores[:, :2].max(axis=1)
    truth = tuple(Event(label, a, b) for label, a, b, _ in events if not label.startswith("not"))
    timeline = Timeline.of(name, seconds)
    return ScoredStream(name, seconds, truth, timeline, starts, scores.astype(np.float32))
