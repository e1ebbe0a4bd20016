"""Where an example sounds, and where it is padding or digital silence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.int64]


class Sounding(NamedTuple):
    """The stretch of each example from its first sound to its last.

    Attributes:
        start: First frame that sounds, `(n,)`.
        stop: Frame after the last that sounds, `(n,)`.
    """

    start: Frames
    stop: Frames

    def union(self, other: Sounding) -> Sounding:
        """Return the stretches that cover both, example by example."""
        return Sounding(np.minimum(self.start, other.start), np.maximum(self.stop, other.stop))


def sounding(x: NDArray[np.float32]) -> Sounding:
    """Return where examples sound, read from their features.

    Samples that are zero give frames whose bins all have the example's lowest value: `amin`, or
    `top_db` below the loudest. So padding is found whoever added it, in clips at other speeds too,
    and nothing needs to be stored. Silence with the least noise in it counts as sound.

    Args:
        x: Features, `(n, frames, bins, channels)`, of which the first channel is a level, or
            embeddings, `(n, frames, values)`.

    Returns:
        All frames for an example without padding, for one that is silent throughout, and where
        there is one bin, which tells nothing.
    """
    x = x[..., None] if x.ndim == 3 else x
    n, frames, bins = x.shape[:3]
    whole = Sounding(np.zeros(n, np.int64), np.full(n, frames, np.int64))
    if bins < 2:
        return whole
    level = x[..., 0].max(axis=2)
    sounds = level > x[..., 0].min(axis=(1, 2))[:, None]
    silent = ~sounds.any(axis=1)
    start = np.where(silent, 0, sounds.argmax(axis=1))
    stop = np.where(silent, frames, frames - sounds[:, ::-1].argmax(axis=1))
    return Sounding(start, stop)
