"""The supernet's computations on TensorFlow: forward passes and the gradients of a fair step.

A path is an int32 tensor that `tf.switch_case` reads in every layer, so each function is traced
once and serves all paths; only the options on the path are computed, and only their activations
are kept for the gradient.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kerasnas.training.fused import fused_kernels
from kerasnas.training.recipe import Loss

_LOSSES = {
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
}


class Graph:
    """Keras models of all options, joined along a path.

    Attributes:
        network: All layers in one model, which nobody calls: it holds the weights.
        tail: The last segment, or its first option.
        traces: How often each function was traced.
    """

    def __init__(self, segments: Sequence[Sequence[keras.Model]], layers: int) -> None:
        options = [option for segment in segments for option in segment]
        self.network = keras.Model(
            [option.inputs[0] for option in options], [option.outputs[0] for option in options]
        )
        self.traces: Counter[str] = Counter()
        self._segments = segments
        self.tail = segments[-1][0]
        self._path = tf.TensorSpec((layers,), tf.int32)
        self._x = tf.TensorSpec((None, *segments[0][0].inputs[0].shape[1:]), tf.float32)
        self._y = tf.TensorSpec((None, *segments[-1][0].outputs[0].shape[1:]), tf.float32)

    def forward(self, path: Any, x: Any, training: bool) -> Any:
        """Scores `(batch, classes)` of the network along `path`."""
        layer = 0
        for options in self._segments:
            calls = [partial(option, x, training=training) for option in options]
            if len(calls) == 1:
                x = calls[0]()
            else:
                x = tf.switch_case(path[layer], calls)
                layer += 1
        return x

    def predictor(self) -> Callable[..., Any]:
        """From a path and features to scores."""
        return self._trace("predict", partial(self.forward, training=False), self._path, self._x)

    def observer(self) -> Callable[..., Any]:
        """From a path and features to nothing: moving statistics become those of the features."""

        def observe(path: Any, x: Any) -> None:
            self.forward(path, x, training=True)

        return self._trace("observe", observe, self._path, self._x, momentum=0.0)

    def _trace(
        self,
        name: str,
        function: Callable[..., Any],
        *signature: Any,
        momentum: float = 0.0,
    ) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.traces[name] += 1
            return function(*arguments)

        traced: Any
        with fused_kernels(self.network, momentum, swish=False):
            traced = tf.function(counted, autograph=False).get_concrete_function(*signature)
        return traced


class FairStep:
    """One update from the summed gradients of several paths (section 2.2.2, Algorithm 1).

    Paths are computed one after the other, so that the activations of only one are alive.
    """

    def __init__(
        self,
        graph: Graph,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        momentum: float,
        l2: float,
    ) -> None:
        measure = _LOSSES[loss]()
        variables = graph.network.trainable_variables
        kernels = [variable for variable in variables if "kernel" in variable.name]
        others = [variable for variable in variables if "kernel" not in variable.name]
        # One long vector each: hundreds of small updates take minutes to trace. Their names tell
        # the optimiser what decays.
        groups = {"kernel": kernels, "bias": others} if others else {"kernel": kernels}
        vectors = [
            keras.Variable(np.zeros(sum(map(_size, group)), np.float32), name=name)
            for name, group in groups.items()
        ]
        sums = [tf.Variable(tf.zeros(vector.shape), trainable=False) for vector in vectors]
        optimizer.build(vectors)

        def add_gradients(path: Any, x: Any, y: Any, weight: Any) -> Any:
            with tf.GradientTape() as tape:
                value = measure(y, graph.forward(path, x, training=True), sample_weight=weight)
            values = [[variable.value for variable in group] for group in groups.values()]
            gradients = tape.gradient(value, values, unconnected_gradients="zero")
            for total, group in zip(sums, gradients, strict=True):
                total.assign_add(_vector(group))
            return value

        def update(paths: Any) -> None:
            for vector, group in zip(vectors, groups.values(), strict=True):
                vector.assign(_vector([variable.value for variable in group]))
            gradients = [total.read_value() for total in sums]
            if l2:  # every path's network adds its own kernels' squares, options are on one path
                counts = [
                    tf.fill((_size(kernel),), 1.0 if kernel.path.startswith("option") else paths)
                    for kernel in kernels
                ]
                gradients[0] += 2 * l2 * tf.concat(counts, 0) * vectors[0].value
            optimizer.apply(gradients, vectors)
            for vector, total, group in zip(vectors, sums, groups.values(), strict=True):
                for variable, part in zip(
                    group, tf.split(vector.value, [_size(each) for each in group]), strict=True
                ):
                    variable.value.assign(tf.reshape(part, variable.shape))
                total.assign(tf.zeros_like(total))

        self._add_gradients = graph._trace(
            "add_gradients",
            add_gradients,
            graph._path,
            graph._x,
            graph._y,
            tf.TensorSpec((None,), tf.float32),
            momentum=momentum,
        )
        self._update = graph._trace("update", update, tf.TensorSpec((), tf.float32))

    def __call__(
        self,
        paths: NDArray[np.int32],
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        weight: NDArray[np.float32] | None = None,
    ) -> float:
        """Update the weights by one batch.

        Args:
            paths: `(paths, layers)`; `SupernetSpace.fair_paths` draws them.
            x: Features, `(batch, frames, bins, channels)`.
            y: Targets, `(batch, classes)`.
            weight: Of every example, `(batch,)`; all the same where None.

        Returns:
            The mean loss of the paths, before the update.
        """
        weight = np.ones(len(y), np.float32) if weight is None else weight
        batch = tf.constant(x), tf.constant(y), tf.constant(weight)
        losses = [self._add_gradients(tf.constant(path), *batch) for path in paths]
        self._update(tf.constant(float(len(paths))))
        return float(np.mean(losses))


def _size(variable: Any) -> int:
    return math.prod(variable.shape)


def _vector(tensors: Sequence[Any]) -> Any:
    return tf.concat([tf.reshape(tensor, (-1,)) for tensor in tensors], 0)
