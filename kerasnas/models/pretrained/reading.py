"""What blocks compute of clips, and the statistics of it, each read once for all heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.statistics import StatisticsScores
from kerasnas.models.pretrained.products import Array, compute, is_product, widened
from kerasnas.models.pretrained.statistics import vectors
from kerasnas.models.pretrained.trunk import Trunk

_BATCH = 16
"""Clips computed together: what lies between two blocks stays in a core's cache."""


def outputs(trunk: Trunk, x: NDArray[np.floating]) -> Array:
    """Return what blocks compute of `(clips, frames, bins, channels)`, batch by batch."""
    return np.concatenate([*batches(trunk, x, np.arange(len(x)))])


def batches(trunk: Trunk, x: NDArray[np.floating], clips: NDArray[np.int64]) -> Iterator[Array]:
    """Yield what blocks compute of some clips, some at a time.

    Args:
        trunk: The blocks; there may be none.
        x: Of all clips, `(clips, frames, bins, channels)`; may be on disk.
        clips: Which ones, in order.
    """
    for start in range(0, len(clips), _BATCH):
        batch = widened(x[clips[start : start + _BATCH]])
        if all(map(is_product, trunk.blocks)):
            for block, weights in zip(trunk.blocks, trunk.weights, strict=True):
                batch = compute(block, weights, batch)
            yield batch
        else:
            yield np.asarray(trunk.model(batch, training=False))


class Reader:
    """Statistics of clips behind a pruned trunk.

    All statistics that some head reads are computed together: running the blocks takes most of the
    time.

    Args:
        tail: Blocks behind those whose activations are kept.
        activations: Of every clip, and of versions of it, each `(clips, frames, bins, channels)`.
        heads: One for each number of parts, with all statistics that are asked for.
    """

    def __init__(
        self,
        tail: Trunk,
        activations: Sequence[NDArray[np.floating]],
        heads: Sequence[StatisticsScores],
    ) -> None:
        self.tail = tail
        self._activations = activations
        self._heads = {head.parts: head for head in heads}
        self._read: dict[tuple[int, bytes], dict[tuple[int, str], Array]] = {}

    @property
    def bytes(self) -> int:
        """Of what is kept."""
        return sum(value.nbytes for found in self._read.values() for value in found.values())

    def read(self, head: StatisticsScores, clips: NDArray[np.int64], version: int = 0) -> Array:
        """Return the statistics that a head reads, `(clips, statistics)`.

        Args:
            head: Its statistics are among those of the head of as many parts.
            clips: Which ones, in order.
            version: Number of the activations.
        """
        key = version, clips.tobytes()
        if key not in self._read:
            self._read[key] = self._all(clips, version)
        found = self._read[key]
        return np.concatenate([found[head.parts, name] for name in head.names()], axis=1)

    def _all(self, clips: NDArray[np.int64], version: int) -> dict[tuple[int, str], Array]:
        heads = [*self._heads.values()]
        seen = [
            vectors(batch, *heads)
            for batch in batches(self.tail, self._activations[version], clips)
        ]
        names = [(head.parts, name) for head in heads for name in head.names()]
        return dict(zip(names, map(np.concatenate, zip(*seen, strict=True)), strict=True))
