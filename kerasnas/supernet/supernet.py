"""Networks that share weights, of which any is scored without training.

Source: Li et al., "Neural architecture search on acoustic scene classification", Interspeech 2020,
section 2.2.2; Chu et al., "FairNAS", ICCV 2021, for the statistics of batch normalisation, which
may be computed anew for the path before it is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.keras_layers import build
from kerasnas.errors import KerasnasError
from kerasnas.supernet import checkpoint
from kerasnas.supernet.graph import FairStep, Graph
from kerasnas.supernet.space import Choices, SupernetSpace
from kerasnas.training.examples import Examples
from kerasnas.training.fit import loss_of, normalise, optimizer_of
from kerasnas.training.recipe import Recipe
from kerasnas.training.scoring.metrics import ClipScores, evaluate

Array = NDArray[np.float32]
AnyChoices = Sequence[int] | NDArray[np.integer]


class Selected(NamedTuple):
    """A network taken out of a supernet.

    Attributes:
        path: Where it stood.
        architecture: Its description.
        model: A Keras model of stock layers, with copies of the supernet's weights.
    """

    path: Choices
    architecture: Architecture
    model: keras.Model


class Supernet:
    """All networks of a space, with the weights they share. Needs Keras on TensorFlow.

    Attributes:
        space: The networks.
    """

    def __init__(self, space: SupernetSpace, seed: int = 0) -> None:
        """Make the weights.

        Args:
            space: The networks.
            seed: Of the weights; it also seeds Python's, NumPy's and TensorFlow's generators.

        Raises:
            KerasnasError: Keras has another backend.
        """
        if keras.backend.backend() != "tensorflow":
            raise KerasnasError(
                f"a supernet needs TensorFlow, and Keras computes with {keras.backend.backend()}: "
                "set KERAS_BACKEND=tensorflow"
            )
        keras.utils.set_random_seed(seed)
        self.space = space
        self._graph = Graph(
            [[build(ops) for ops in segment.options] for segment in space.segments], space.layers
        )

    @property
    def network(self) -> keras.Model:
        """All layers in one model, which nobody calls: it holds the weights."""
        return self._graph.network

    @property
    def tail(self) -> keras.Model:
        """What every path ends with: its activation makes the scores."""
        return self._graph.tail

    @property
    def traces(self) -> dict[str, int]:
        """How often each of the supernet's functions was traced, by name."""
        return dict(self._graph.traces)

    def normalise(self, examples: Examples) -> None:
        """Set mean and variance of `Normalize` blocks; see `kerasnas.training.fit.normalise`."""
        normalise(self.network, examples)
        self._forget_constants()

    def predict(self, path: AnyChoices, x: Array) -> Array:
        """Scores `(batch, classes)` of features `(batch, frames, bins, channels)`.

        Raises:
            KerasnasError: The path is none of the space's.
        """
        entries = np.array(self.space.path(path), np.int32)
        scores = self._predictor(entries, np.asarray(x, np.float32))
        return np.asarray(scores, np.float32)

    def score(self, path: AnyChoices, examples: Examples, batch_size: int = 128) -> ClipScores:
        """Metrics of the network along `path` with the weights as they are.

        Args:
            path: The network.
            examples: Segments of clips; clips are scored by the mean over their segments.
            batch_size: Examples at a time; every call costs some milliseconds besides.

        Raises:
            KerasnasError: The path is none of the space's, or as
                `kerasnas.training.scoring.metrics.evaluate`.
        """
        path = self.space.path(path)
        return evaluate(
            lambda x: self.predict(path, x),
            examples,
            multi_label=examples.multi_label,
            loss=loss_of(self.tail, Recipe()),
            batch_size=batch_size,
        )

    @contextmanager
    def recalibrated(
        self, path: AnyChoices, examples: Examples, batch_size: int = 64
    ) -> Iterator[None]:
        """Give the path moving statistics of its own while the context lasts.

        Shared statistics are those of many paths. Here they become means over batches of
        `examples` (training examples, not those that are scored) along this path alone; `score`,
        `predict` and `select` of this path use them.

        Args:
            path: The network.
            examples: To compute statistics of; the last batch is filled up from its own.
            batch_size: Examples of a batch.
        """
        path = self.space.path(path)
        statistics = [
            statistic
            for name in self.layers_on(path).values()
            if isinstance(layer := self.network.get_layer(name), keras.layers.BatchNormalization)
            for statistic in (layer.moving_mean, layer.moving_variance)
        ]
        before = [statistic.numpy() for statistic in statistics]
        entries, size = np.array(path, np.int32), min(batch_size, len(examples))
        starts = range(0, len(examples), size)
        means = [np.zeros_like(value) for value in before]
        try:
            for start in starts:
                rows = np.arange(start, min(start + size, len(examples)))
                self._observer(entries, examples.x(np.resize(rows, size)))
                for mean, statistic in zip(means, statistics, strict=True):
                    mean += statistic.numpy() / len(starts)
            for statistic, mean in zip(statistics, means, strict=True):
                statistic.assign(mean)
            yield
        finally:
            for statistic, value in zip(statistics, before, strict=True):
                statistic.assign(value)

    def select(self, path: AnyChoices) -> Selected:
        """Return the network along `path` on its own; its outputs equal the supernet's.

        Raises:
            KerasnasError: The path is none of the space's.
        """
        path = self.space.path(path)
        architecture = self.space.architecture(path)
        model = architecture.build()
        for name, shared in self.layers_on(path).items():
            layer = model.get_layer(name)
            layer.set_weights(self.network.get_layer(shared).get_weights())
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        return Selected(path, architecture, model)

    def fair_step(self, recipe: Recipe) -> tuple[FairStep, keras.optimizers.Optimizer]:
        """Return the training step of Algorithm 1 by a recipe, and its optimiser.

        Raises:
            KerasnasError: The recipe's loss and the networks' output do not fit.
        """
        optimizer = optimizer_of(recipe)
        loss = loss_of(self.tail, recipe)
        step = FairStep(self._graph, optimizer, loss, recipe.batch_norm_momentum, recipe.l2)
        return step, optimizer

    def save(self, path: Path) -> None:
        """Write space and weights to one file, which `load` reads."""
        checkpoint.write(path, self.space, {}, {"weight": self.variables()})

    @classmethod
    def load(cls, path: Path, space: SupernetSpace | None = None) -> Supernet:
        """Return the supernet that `save` or a training wrote: with the weights that are scored.

        Args:
            path: The file.
            space: What it should hold; None takes what is there.

        Raises:
            KerasnasError: The file cannot be read, or holds another space.
        """
        found, _, arrays = checkpoint.read(path, space)
        supernet = cls(found)
        supernet.set_variables(arrays["average" if "average" in arrays else "weight"])
        return supernet

    def variables(self) -> list[NDArray[Any]]:
        """All weights and the states of random generators, in an order that the space fixes."""
        return [variable.numpy() for variable in self.network.variables]

    def set_variables(self, values: Sequence[NDArray[Any]]) -> None:
        """Take what `variables` gave."""
        for variable, value in zip(self.network.variables, values, strict=True):
            variable.assign(value)
        for layer in self.network.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
                self._forget_constants()

    @cached_property
    def _predictor(self) -> Any:
        return self._graph.predictor()

    @cached_property
    def _observer(self) -> Any:
        return self._graph.observer()

    def _forget_constants(self) -> None:
        """Trace again: means and variances of `Normalize` are constants of what was traced."""
        for name in ("_predictor", "_observer"):
            self.__dict__.pop(name, None)

    def layers_on(self, path: Choices) -> dict[str, str]:
        """Shared layers with weights by their names in the architecture along `path`."""
        return {
            op.name: self.space.shared_name(op.name, path)
            for op in self.space.architecture(path).ops
            if op.weights
        }
