"""Candidates of the space `pretrained` without gradients: pruned, read by a probe, scored.

Activations behind the unpruned blocks are computed once a clip and kept; everything behind them is
a few products of matrices, and most candidates share trunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.statistics import StatisticsScores
from kerasnas.errors import KerasnasError
from kerasnas.models.pretrained import probe
from kerasnas.models.pretrained.probe import Probe
from kerasnas.models.pretrained.prune import prune
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.pretrained.statistics import vectors
from kerasnas.models.pretrained.trunk import Trunk, set_weights
from kerasnas.models.pretrained.way import Weights
from kerasnas.models.space import Values

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

_BATCH = 32
_KEPT = 6
"""Trunks whose statistics are kept for the next candidates."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A candidate, fitted.

    Attributes:
        tail: Its blocks behind the unpruned ones, up to the cut.
        head: What reads them.
        probe: The weights of the head.
    """

    tail: Trunk
    head: StatisticsScores
    probe: Probe


@dataclass(eq=False)
class Candidates:
    """Fits candidates of a space on the activations of clips.

    Attributes:
        space: Of the candidates.
        activations: Of every clip, and of versions of it (other speeds): each `(clips, frames,
            bins, channels)`, as `activations` makes them, the clips as they are first.
        targets: 0 and 1, `(clips, classes)`.
        groups: Of each clip, as `probe.fit` wants them.
        several: Whether a clip can have several labels.
    """

    space: PretrainedSpace
    activations: Sequence[NDArray[Any]]
    targets: Array
    groups: Indices
    several: bool = False
    _statistics: dict[Any, Any] = field(default_factory=dict, repr=False)

    def fit(self, values: Values, train: Indices, seed: int = 0) -> Fitted:
        """Prune and fit a candidate on some clips, their versions included.

        Args:
            values: Of a candidate whose head is linear.
            train: Clips; pruning, penalty and probe see no others.
            seed: Of the inner folds, by which the penalty is chosen.

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
        tail = self.tail(values, train)
        key = (choice.cut, choice.keep, train.tobytes())
        x = np.concatenate(
            [self._read(tail, a, key, n, train, head) for n, a in enumerate(self.activations)]
        )
        repeats = len(self.activations)
        y, groups = np.tile(self.targets[train], (repeats, 1)), np.tile(self.groups[train], repeats)
        return Fitted(tail, head, probe.fit(x, y, groups, self.several, seed=seed))

    def tail(self, values: Values, train: Indices) -> Trunk:
        """Return a candidate's blocks behind the unpruned ones, pruned on some clips."""
        choice, first = self.space.choice(values), self.space.unpruned
        key = ("tail", choice.cut, choice.keep, train.tobytes())
        if key not in self._statistics:
            whole = self.space.trunk[first : choice.cut]
            widths = tuple(shape[-1] for shape in whole.shapes)
            if choice.keep != widths:
                following = self.space.file.trunk.on(self.space.input_shape)[choice.cut :]
                chosen = np.sort(np.random.default_rng(0).permutation(train)[:_CLIPS])
                whole = prune(whole, choice.keep, self.activations[0][chosen], following)
            self._remember(key, whole)
        return self._statistics[key]

    def scores(self, fitted: Fitted, clips: Indices) -> Array:
        """Return scores of clips before the activation, `(clips, classes)`."""
        return fitted.probe.scores(
            np.concatenate(
                vectors(outputs(fitted.tail, self.activations[0][clips]), fitted.head), axis=1
            )
        )

    def network(self, fitted: Fitted) -> keras.Model:
        """Return one Keras model of stock layers, from features to scores, the probe at its end."""
        from kerasnas.blocks.architecture import Architecture

        trunk = self.space.trunk
        first = self.space.unpruned
        blocks = (*trunk.blocks[:first], *fitted.tail.blocks, fitted.head)
        weights = (*trunk.weights[:first], *fitted.tail.weights, head_weights(fitted))
        model = Architecture(self.space.input_shape, blocks).build()
        set_weights(model, blocks, weights)
        return model

    def _read(
        self,
        tail: Trunk,
        activations: NDArray[Any],
        key: Any,
        version: int,
        train: Indices,
        head: StatisticsScores,
    ) -> Array:
        """Statistics of training clips, remembered for other heads on the same trunk."""
        key = (*key, version)
        if key not in self._statistics:
            self._remember(key, outputs(tail, activations[train]).astype(np.float16))
        seen = self._statistics[key].astype(np.float32)
        return np.concatenate(vectors(seen, head), axis=1)

    def _remember(self, key: Any, value: Any) -> None:
        while len(self._statistics) >= _KEPT * (1 + len(self.activations)):
            del self._statistics[next(iter(self._statistics))]
        self._statistics[key] = value


_CLIPS = 128
"""Training clips that kernels of pruned blocks are fitted on."""


def activations(
    space: PretrainedSpace, features: NDArray[Any], path: Path | None = None
) -> NDArray[np.float16]:
    """Return what the unpruned blocks compute of features.

    Args:
        space: Of the candidates.
        features: `(clips, frames, bins, channels)`.
        path: A `.npy` file to keep them in, which is written beside its place and then memory-
            mapped; None keeps them in memory. One that is there is taken as it is.

    Returns:
        float16 `(clips, frames, bins, channels)`.
    """
    if path is not None and path.exists():
        return np.load(path, mmap_mode="r")
    trunk = space.trunk[: space.unpruned]
    shape = (len(features), *(trunk.shapes[-1] if trunk.blocks else space.input_shape))
    if path is None:
        found: Any = np.empty(shape, np.float16)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.partial")
        found = np.lib.format.open_memmap(beside, "w+", np.float16, shape)
    for start in range(0, len(features), _BATCH):
        batch = np.asarray(features[start : start + _BATCH], np.float32)
        found[start : start + _BATCH] = outputs(trunk, batch)
    if path is None:
        return found
    found.flush()
    beside.replace(path)
    return np.load(path, mmap_mode="r")


def outputs(trunk: Trunk, x: NDArray[Any]) -> Array:
    """Return what blocks compute of `(clips, frames, bins, channels)`, batch by batch."""
    if not trunk.blocks:
        return np.asarray(x, np.float32)
    model = trunk.build()
    parts = [
        np.asarray(model(np.asarray(x[start : start + _BATCH], np.float32), training=False))
        for start in range(0, len(x), _BATCH)
    ]
    return np.concatenate(parts)


def head_weights(fitted: Fitted) -> Weights:
    """Return the probe's weights by the names of the head's dense layers."""
    names = fitted.head.names()
    kernels = np.split(fitted.probe.kernel, len(names))
    weights = {f"{name}/kernel": kernel for name, kernel in zip(names, kernels, strict=True)}
    return {**weights, f"{names[0]}/bias": fitted.probe.bias}
