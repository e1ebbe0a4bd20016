"""Summary statistics of clips over time: what a simple baseline reads instead of a network.

Of every bin, and where the features are spectra of its first cepstral coefficients too: mean,
standard deviation, least and greatest value over the frames, and the standard deviation of the
change from frame to frame. Cepstral coefficients are the orthonormal DCT over the bins (of log-mel
bands: MFCC, Davis & Mermelstein, "Comparison of parametric representations for monosyllabic word
recognition", IEEE TASSP 28, 1980). Their means repeat those of the bins; their deviations do not.

Silence that fills short clips up is left out, since statistics over it measure lengths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

Indices = NDArray[np.int64]
Array = NDArray[np.float32]

BLOCK_BYTES = 32 * 2**20
_COEFFICIENTS = 20


def summarise(features: NDArray[Any], clips: Indices) -> Array:
    """Return the summary statistics of some clips, reading a few of them at a time.

    Args:
        features: Of all clips, `(clips, segments, frames, bins, channels)`, or embeddings,
            `(clips, segments, frames, values)`; may be memory-mapped.
        clips: Indices of the clips to summarise.

    Returns:
        float32 `(len(clips), statistics)`, in the order of `clips`. All segments of a clip, and
        all channels that are examples, count together.
    """
    size = max(1, BLOCK_BYTES // (4 * int(np.prod(features.shape[1:]))))
    rows = []
    for start in range(0, len(clips), size):
        block = np.asarray(features[clips[start : start + size]], np.float32)
        rows += [_statistics(clip) for clip in block]
    return np.array(rows, np.float32)


def sounding_frames(segment: Array) -> int:
    """Return the number of frames before the silence that fills a segment up.

    Args:
        segment: `(frames, bins, channels)` or `(frames, values)`.

    Returns:
        All frames where the last one differs between bins: it is then sound. 0 where every frame is
        like the last.
    """
    last = segment[-1]
    if not (last == last[0]).all():
        return len(segment)
    differs = (segment != last).reshape(len(segment), -1).any(axis=1)
    return int(np.flatnonzero(differs)[-1]) + 1 if differs.any() else 0


def _statistics(clip: Array) -> Array:
    """Return the statistics of one clip, `(segments, frames, ...)`."""
    parts = [segment[: sounding_frames(segment)] for segment in clip]
    if not any(map(len, parts)):
        parts = [clip[0, :1]]  # only silence
    frames = np.concatenate(parts)
    steps = np.concatenate([np.diff(part, axis=0) for part in parts])
    rows = [*_moments(frames, steps)]
    if clip.ndim == 4:
        rows += _moments(_cepstra(frames), _cepstra(steps))
    return np.concatenate([row.ravel() for row in rows])


def _moments(frames: Array, steps: Array) -> list[Array]:
    changes = steps.std(axis=0) if len(steps) else np.zeros_like(frames[0])
    return [
        frames.mean(axis=0),
        frames.std(axis=0),
        frames.min(axis=0),
        frames.max(axis=0),
        changes,
    ]


def _cepstra(frames: Array) -> Array:
    """Return each frame's first coefficients by channel, `(frames, coefficients, channels)`."""
    if not len(frames):
        return frames[:, :_COEFFICIENTS]
    return np.asarray(dct(frames, axis=1, norm="ortho")[:, :_COEFFICIENTS])
