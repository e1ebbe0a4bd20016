"""Statistics of activations in NumPy, as `blocks.statistics` computes them in a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.statistics import StatisticsScores

Array = NDArray[np.float32]


def vectors(x: Array, head: StatisticsScores) -> list[Array]:
    """Return the statistics that a head reads.

    Args:
        x: float32 `(clips, frames, bins, channels)`.
        head: Which ones.

    Returns:
        Each `(clips, channels)`, in the order of `head.names()`.
    """
    frames = x.shape[1] // head.parts
    found = []
    for part in range(head.parts):
        y = x[:, part * frames : (part + 1) * frames] if head.parts > 1 else x
        means = y.mean(axis=2)
        found += [_vector(y, means, name, head.window) for name in head.statistics]
    return found


def _vector(x: Array, means: Array, name: str, window: int) -> Array:
    frames = x.shape[1]
    if name == "mean":
        return means.mean(axis=1)
    if name == "band":
        return x.max(axis=2).mean(axis=1)
    if name == "maximum":
        return means.max(axis=1)
    if name == "second":
        window = min(window, frames)
        starts = range(0, frames - window + 1, max(1, window // 2))
        return np.max([means[:, start : start + window].mean(axis=1) for start in starts], axis=0)
    if name == "deviation":
        return np.maximum(0, means - means.mean(axis=1, keepdims=True)).mean(axis=1)
    return np.maximum(0, means[:, 1:] - means[:, :-1]).mean(axis=1)
