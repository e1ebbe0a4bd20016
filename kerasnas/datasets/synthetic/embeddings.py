"""Procedural embeddings in AudioSet's layout: known tags, any size, written in a moment.

Every class has a direction of its own in the space of embeddings. A clip is noise, to which each of
its classes adds its direction for a stretch of frames. Clip i depends on the seed and on i alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum, unique
from pathlib import Path

import numpy as np

from kerasnas.datasets.audioset import shards
from kerasnas.datasets.audioset.audioset import CLASS_LABELS, write_class_labels
from kerasnas.datasets.audioset.sequence_example import Embedded
from kerasnas.paths import StrPath

FRAMES, VALUES = 10, 128
_LEVEL, _NOISE = 24.0, 32.0  # steps of a byte


@unique
class _Stream(IntEnum):
    """What is drawn from a seed, `default_rng((seed, stream, ...))`."""

    DIRECTIONS = 0
    """The directions of all classes."""
    CLIPS = 1
    """A clip, by its number."""


def write(
    root: StrPath,
    classes: Sequence[str],
    clips: Mapping[str, int],
    seed: int = 0,
    clips_a_shard: int = 1024,
) -> None:
    """Write `class_labels_indices.csv`, and shards of every part.

    Args:
        root: Where to.
        classes: Names.
        clips: Number of clips by part: `bal_train`, `unbal_train`, `eval`.
        seed: Of the directions and the clips.
        clips_a_shard: Clips of a file.
    """
    root = Path(root)
    write_class_labels(
        root / CLASS_LABELS, [(f"synthetic/{index}", name) for index, name in enumerate(classes)]
    )
    first = 0
    for part, count in clips.items():
        numbers = range(first, first + count)
        shards.write(root / part, embedded(len(classes), numbers, seed), clips_a_shard)
        first += count


def embedded(classes: int, numbers: range, seed: int = 0) -> Iterator[Embedded]:
    """Clips by their numbers; every tenth is shorter than the others."""
    directions = np.random.default_rng((seed, _Stream.DIRECTIONS)).normal(size=(classes, VALUES))
    for number in numbers:
        rng = np.random.default_rng((seed, _Stream.CLIPS, number))
        frames = FRAMES if number % 10 else int(rng.integers(1, FRAMES))
        labels = {number % classes, *rng.integers(0, classes, rng.integers(0, 3)).tolist()}
        x = 128 + _NOISE * rng.normal(size=(frames, VALUES))
        for label in labels:
            start = rng.integers(0, frames)
            x[start : start + rng.integers(3, FRAMES + 1)] += _LEVEL * directions[label]
        codes = np.clip(np.rint(x), 0, 255).astype(np.uint8)
        yield Embedded(f"synthetic{number:08d}", 30.0, tuple(sorted(labels)), codes)
