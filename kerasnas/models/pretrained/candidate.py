"""Candidates of the space `pretrained`: pruned, read by a probe, scored, without gradients.

Activations behind the unpruned blocks are computed once a clip and kept; everything behind them is
a few products of matrices. Heads that are trained get the activations at the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.block import Block
from kerasnas.blocks.statistics import StatisticsScores
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained import probe
from kerasnas.models.pretrained.probe import Probe
from kerasnas.models.pretrained.prune import Pruner
from kerasnas.models.pretrained.reading import Reader, batches
from kerasnas.models.pretrained.space import PretrainedSpace, TrunkChoice
from kerasnas.models.pretrained.trunk import Trunk, set_weights
from kerasnas.models.pretrained.way import Weights
from kerasnas.models.space import Values

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

_BATCH = 32
_CLIPS = 64
"""Training clips that kernels of pruned blocks are fitted on."""
_PRUNERS = 5
"""Sets of training clips, as those of folds, for which what the whole trunk computes is kept."""
_KEPT_BYTES = 400_000_000
"""Statistics of trunks that are kept for the next candidates, which often differ in their heads."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A candidate, fitted.

    Attributes:
        reader: Of its blocks behind the unpruned ones, up to the cut.
        head: What reads them.
        probe: The weights of the head.
    """

    reader: Reader
    head: StatisticsScores
    probe: Probe


@dataclass(eq=False)
class Candidates:
    """Fits candidates of a space on the activations of clips.

    Attributes:
        space: Of the candidates.
        activations: Of every clip, and of versions of it (other speeds): each `(clips, frames,
            bins, channels)`, as `compute_activations` makes them, the clips as they are first.
            Where a clip has segments, they stand for clips here.
        targets: 0 and 1, `(clips, classes)`.
        groups: Of each clip, as `probe.fit` wants them.
        several: Whether a clip can have several labels.
    """

    space: PretrainedSpace
    activations: Sequence[NDArray[Any]]
    targets: Array
    groups: Indices
    several: bool = False
    _readers: dict[Any, Reader] = field(default_factory=dict, repr=False)
    _pruners: dict[bytes, Pruner] = field(default_factory=dict, repr=False)

    def fit(
        self,
        values: Values,
        train: Indices,
        seed: int = 0,
        weights: Array | None = None,
        versions: Sequence[int] | None = None,
    ) -> Fitted:
        """Prune and fit a candidate on some clips, their versions included.

        Args:
            values: Of a candidate whose head is linear.
            train: Clips; pruning, penalty and probe see no others.
            seed: Of the inner folds, by which the penalty is chosen.
            weights: What each clip of `train` counts; None for all alike.
            versions: Numbers of the activations to fit on; None for all.

        Raises:
            KerasnasError: The candidate has layers that need gradients.
        """
        choice = self.space.choice(values)
        if choice.trains:
            raise KerasnasError(
                f"a candidate with head: {choice.head}"
                f"{' and a new block' if choice.new_block else ''} is trained with gradients: fit "
                "`space.behind(values)` on the trunk's activations"
            )
        (head,) = self.space.head(values)
        assert isinstance(head, StatisticsScores)
        reader = self._reader(values, train)
        versions = range(len(self.activations)) if versions is None else versions
        x = np.concatenate([reader.read(head, train, version) for version in versions])
        repeats = len(versions)
        y, groups = np.tile(self.targets[train], (repeats, 1)), np.tile(self.groups[train], repeats)
        if weights is not None:
            weights = np.tile(weights, repeats)
        penalties = self.space.settings.penalties
        found = probe.fit(x, y, groups, self.several, penalties, seed, weights)
        return Fitted(reader, head, found)

    def tail(self, values: Values, train: Indices) -> Trunk:
        """Return a candidate's blocks behind the unpruned ones, pruned on some clips."""
        return self._reader(values, train).tail

    def _reader(self, values: Values, train: Indices) -> Reader:
        """Return what reads a candidate's trunk; the ones used last are kept."""
        choice = self.space.choice(values)
        key = choice.cut, choice.keep, train.tobytes()
        reader = self._readers.pop(key, None)
        if reader is None:
            tail = self._pruned(choice, train)
            reader = Reader(tail, self.activations, self.space.readings())
        while sum(known.bytes for known in self._readers.values()) > _KEPT_BYTES:
            del self._readers[next(iter(self._readers))]
        self._readers[key] = reader
        return reader

    def _pruned(self, choice: TrunkChoice, train: Indices) -> Trunk:
        first, trunk = self.space.unpruned, self.space.trunk
        whole = trunk[first : choice.cut]
        if choice.keep == tuple(shape[-1] for shape in whole.shapes):
            return whole
        key = train.tobytes()
        pruner = self._pruners.pop(key, None)
        if pruner is None:
            following = self.space.file.trunk.on(self.space.input_shape)[len(trunk.blocks) :]
            chosen = np.sort(np.random.default_rng(0).permutation(train)[:_CLIPS])
            pruner = Pruner(trunk[first:], self.activations[0][chosen], following)
        while len(self._pruners) >= _PRUNERS:
            del self._pruners[next(iter(self._pruners))]
        self._pruners[key] = pruner
        return pruner.prune(choice.keep)

    def scores(self, fitted: Fitted, clips: Indices) -> Array:
        """Return scores of clips before the activation, `(clips, classes)`."""
        return fitted.probe.scores(fitted.reader.read(fitted.head, clips))

    def network(self, fitted: Fitted) -> keras.Model:
        """Return one Keras model of stock layers, from features to scores, the probe at its end."""
        model, first = self._whole(fitted.reader.tail, (fitted.head,))
        set_weights(model, (fitted.head,), (head_weights(fitted),), first)
        return model

    def network_with(
        self, tail: Trunk, behind: Sequence[Block], trained: keras.Model
    ) -> keras.Model:
        """Return one Keras model of stock layers that ends with what was trained.

        Args:
            tail: Blocks behind the unpruned ones, up to the cut.
            behind: The blocks behind the cut.
            trained: What they became, from activations at the cut to scores.
        """
        model, first = self._whole(tail, behind)
        for layer in trained.layers:
            index, separator, rest = layer.name.partition("_")
            if layer.weights and separator:
                own = model.get_layer(f"{int(index) + first:02d}_{rest}")
                own.set_weights(layer.get_weights())
        return model

    def _whole(self, tail: Trunk, behind: Sequence[Block]) -> tuple[keras.Model, int]:
        """Return a model with the trunk's weights, and the first block's index behind the cut."""
        trunk, first = self.space.trunk, self.space.unpruned
        blocks = (*trunk.blocks[:first], *tail.blocks)
        model = Architecture(self.space.input_shape, (*blocks, *behind)).build()
        set_weights(model, blocks, (*trunk.weights[:first], *tail.weights))
        return model, len(blocks)

    def at_cut(
        self,
        tail: Trunk,
        train: Indices,
        others: Indices,
        versions: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.float16], ...]:
        """Return activations at the cut, for heads that are trained.

        Args:
            tail: Blocks behind the unpruned ones, up to the cut.
            train: Clips that have all their versions.
            others: Clips as they are alone.
            versions: Numbers of the activations, the clips as they are first; None for all.

        Returns:
            Of every version `(clips, frames, bins, channels)`, zeros of clips that are not asked
            for.
        """
        found = []
        for number in range(len(self.activations)) if versions is None else versions:
            seen = self.activations[number]
            clips = np.union1d(train, others) if number == 0 else train
            shape = tail.shapes[-1] if tail.blocks else seen.shape[1:]
            values, done = np.zeros((len(seen), *shape), np.float16), 0
            for batch in batches(tail, seen, clips):
                values[clips[done : done + len(batch)]] = batch
                done += len(batch)
            found.append(values)
        return tuple(found)


def activations_shape(space: PretrainedSpace) -> tuple[int, ...]:
    """Return the shape of what the unpruned blocks compute of one clip."""
    return space.trunk.shapes[space.unpruned - 1] if space.unpruned else space.input_shape


def compute_activations(
    space: PretrainedSpace, features: NDArray[Any], found: NDArray[np.float16]
) -> None:
    """Fill an array with what the unpruned blocks compute of features.

    Args:
        space: Of the candidates.
        features: `(clips, frames, bins, channels)`.
        found: `(clips, frames, bins, channels)`, as `activations_shape` says; may be on disk.
    """
    trunk = space.trunk[: space.unpruned]
    model = trunk.build() if trunk.blocks else None
    for start in range(0, len(features), _BATCH):
        batch = np.asarray(features[start : start + _BATCH], np.float32)
        found[start : start + _BATCH] = batch if model is None else model(batch, training=False)


def head_weights(fitted: Fitted) -> Weights:
    """Return the probe's weights by the names of the head's dense layers."""
    names = fitted.head.names()
    kernels = np.split(fitted.probe.kernel, len(names))
    weights = {f"{name}/kernel": kernel for name, kernel in zip(names, kernels, strict=True)}
    return {**weights, f"{names[0]}/bias": fitted.probe.bias}
