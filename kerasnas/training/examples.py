"""Training examples: the segments of some clips, read from the features as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.sounding import Sounding, sounding

Indices = NDArray[np.int64]

_ROWS = 64  # examples read at a time
_TARGET_ROWS = 4096


@dataclass(frozen=True)
class Examples:
    """Segments of clips with the clips' labels.

    Attributes:
        features: Of all clips, `(clips, segments, frames, bins, channels)`; may be memory-mapped.
        targets: Labels of all clips as zeros and ones, `(clips, classes)`; may be memory-mapped.
        clip: For each example the index of its clip, `(n,)`.
        segment: For each example its segment in the clip, `(n,)`.
        versions: Arrays like `features`, of the same clips at other speeds or in rooms.
        channels: Of a recording, that are examples of one clip: the segments of the first come
            first.
        noisy: Arrays like `features`, of the same clips in noise, which covers their padding.
    """

    features: NDArray[Any]
    targets: NDArray[Any]
    clip: Indices
    segment: Indices
    versions: tuple[NDArray[Any], ...] = ()
    channels: int = 1
    noisy: tuple[NDArray[Any], ...] = ()

    @classmethod
    def of_clips(
        cls,
        features: NDArray[Any],
        targets: NDArray[Any],
        clips: Indices,
        versions: tuple[NDArray[Any], ...] = (),
        channels: int = 1,
        noisy: tuple[NDArray[Any], ...] = (),
    ) -> Examples:
        """Return all segments of the clips at the indices `clips`, in that order."""
        segments = features.shape[1]
        return cls(
            features,
            targets,
            np.repeat(np.asarray(clips, np.int64), segments),
            np.tile(np.arange(segments, dtype=np.int64), len(clips)),
            versions,
            channels,
            noisy,
        )

    def __len__(self) -> int:
        return len(self.clip)

    def x(self, rows: Indices) -> NDArray[np.float32]:
        """Features of the examples at `rows`, float32 `(rows, frames, bins, channels)`."""
        return np.asarray(self.features[self.clip[rows], self.segment[rows]], np.float32)

    def read(self) -> Iterator[NDArray[np.float32]]:
        """Features of the examples, in order, some at a time, as `x` gives them."""
        for start in range(0, len(self), _ROWS):
            yield self.x(np.arange(start, min(start + _ROWS, len(self))))

    def draw(self, rows: Indices, rng: np.random.Generator) -> tuple[NDArray[np.float32], Sounding]:
        """Return examples to train on: each as it is or in one of its versions, equally probable.

        Args:
            rows: Indices of the examples.
            rng: Where randomness comes from.

        Returns:
            Features as those of `x`, and where each example sounds; under noise, where it does
            without.
        """
        x = self.x(rows)
        drawn = rng.integers(0, 1 + len(self.versions) + len(self.noisy), len(rows))
        heard: Sounding | None = None
        for number, version in enumerate((*self.versions, *self.noisy), 1):
            if number == 1 + len(self.versions):
                heard = sounding(x)
            chosen = drawn == number
            x[chosen] = version[self.clip[rows[chosen]], self.segment[rows[chosen]]]
        return x, sounding(x) if heard is None else heard

    def y(self, rows: Indices) -> NDArray[np.float32]:
        """Labels of the examples at `rows`, float32 `(rows, classes)`."""
        return np.asarray(self.targets[self.clip[rows]], np.float32)

    @property
    def multi_label(self) -> bool:
        """Whether some clip carries no label or several."""
        return any(
            (self.targets[start : start + _TARGET_ROWS].sum(axis=1) != 1).any()
            for start in range(0, len(self.targets), _TARGET_ROWS)
        )

    def labels(self) -> Iterator[NDArray[np.float32]]:
        """Labels of the examples, in order, some thousand at a time, float32 `(n, classes)`."""
        for start in range(0, len(self), _TARGET_ROWS):
            yield self.y(np.arange(start, min(start + _TARGET_ROWS, len(self))))

    @property
    def clips(self) -> Indices:
        """Indices of the clips, each once, in the order of their first examples."""
        unique, first = np.unique(self.clip, return_index=True)
        clips: Indices = unique[np.argsort(first)]
        return clips

    @property
    def clip_targets(self) -> NDArray[np.float32]:
        """Labels of `clips`, float32 `(clips, classes)`."""
        return np.asarray(self.targets[self.clips], np.float32)

    def of_channel(self, channel: int) -> NDArray[np.bool_]:
        """Which examples are of a channel, counted from 0, `(n,)`."""
        own: NDArray[np.bool_] = (
            self.segment // (self.features.shape[1] // self.channels) == channel
        )
        return own

    def clip_means(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of `(n, classes)` scores over each clip's segments: `(clips, classes)`."""
        order = self.clips
        position = np.zeros(len(self.targets), np.int64)
        position[order] = np.arange(len(order))
        sums = np.zeros((len(order), scores.shape[1]))
        np.add.at(sums, position[self.clip], scores)
        counts = np.bincount(position[self.clip], minlength=len(order))
        return (sums / counts[:, None]).astype(np.float32)


def statistics(examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and variance over examples and frames, each `(bins, channels)`."""
    count, total, squares = 0, 0.0, 0.0
    shift: Any = None  # a value near the mean keeps the squares small
    for features in examples.read():
        x = features.astype(np.float64)
        shift = x.mean(axis=(0, 1)) if shift is None else shift
        count += x.shape[0] * x.shape[1]
        total += (x - shift).sum(axis=(0, 1))
        squares += ((x - shift) ** 2).sum(axis=(0, 1))
    variance = np.asarray(squares / count - (total / count) ** 2)
    variance = np.where(variance > 1e-8, variance, 1.0)
    return (shift + total / count).astype(np.float32), variance.astype(np.float32)
