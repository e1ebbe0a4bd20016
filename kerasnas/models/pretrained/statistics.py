"""Statistics of activations in NumPy, as `blocks.statistics` computes them in a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.statistics import StatisticsScores

Array = NDArray[np.float32]


def vectors(x: Array, *heads: StatisticsScores) -> list[Array]:
    """Return the statistics that heads read.

    Args:
        x: float32 `(clips, frames, bins, channels)`.
        heads: Which ones. What they share is computed once.

    Returns:
        Each `(clips, channels)`, in the order of `head.names()`, one head after the other.
    """
    means = x.mean(axis=2)
    highest = x.max(axis=2) if any("band" in head.statistics for head in heads) else None
    found = []
    for head in heads:
        for frames in _parts(x.shape[1], head.parts):
            seen = means[:, frames]
            for name in head.statistics:
                if name == "band":
                    assert highest is not None
                    found.append(highest[:, frames].mean(axis=1))
                else:
                    found.append(_vector(seen, name, head.window))
    return found


def _parts(frames: int, parts: int) -> Sequence[slice]:
    if parts == 1:
        return (slice(None),)
    length = frames // parts
    return tuple(slice(part * length, (part + 1) * length) for part in range(parts))


def _vector(means: Array, name: str, window: int) -> Array:
    """One statistic of the means over the bins, `(clips, frames, channels)`."""
    frames = means.shape[1]
    if name == "mean":
        return means.mean(axis=1)
    if name == "maximum":
        return means.max(axis=1)
    if name == "second":
        window = min(window, frames)
        starts = range(0, frames - window + 1, max(1, window // 2))
        return np.max([means[:, start : start + window].mean(axis=1) for start in starts], axis=0)
    if name == "deviation":
        return np.maximum(0, means - means.mean(axis=1, keepdims=True)).mean(axis=1)
    return np.maximum(0, means[:, 1:] - means[:, :-1]).mean(axis=1)
