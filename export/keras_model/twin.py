"""A Keras 3 model rebuilt in tf_keras, the Keras that tensorflow-model-optimization knows.

Only for child processes: tf_keras wants `TF_USE_LEGACY_KERAS=1` in the environment before
TensorFlow is imported.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from .private import calls_in, is_functional

_TOLERANCE = 1e-4
"""Largest difference from a layer's output, relative to the largest value in it."""
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_REMEDY = "which sparsity, qat and fused_lstm need: replace it, or export without these settings"
_NOT_CARRIED = ("_initializer", "_regularizer", "_constraint")
_ONLY_OFF = ("rms_scaling",)
"""What tf_keras' layers do not have, nor most of Keras 3's."""


class TensorPair(NamedTuple):
    """A tensor of the model and its counterpart in the twin, with the operation that gives it."""

    name: str
    tensor: Any
    counterpart: Any


class Twin(NamedTuple):
    """A model in tf_keras.

    Attributes:
        source: The Keras 3 model.
        model: The same in tf_keras, flat: models inside it are written out.
        layers: Layers of the Keras 3 model that have weights, and their counterparts; those of
            input normalisation have constants instead.
        pairs: What every operation gives, in order of computation.
    """

    source: Any
    model: Any
    layers: list[tuple[Any, Any]]
    pairs: list[TensorPair]

    def check(self, x: Floats) -> None:
        """Hold the twin's scores of examples `(n, *input shape)` against the model's.

        Raises:
            ExportError: They differ; the message names the first layer whose output does.
        """
        if _close(self.source(x), self.model(x)):
            return
        import keras
        import tf_keras  # type: ignore[import-untyped]

        sources = keras.Model(self.source.inputs[0], [pair.tensor for pair in self.pairs])(x)
        copies = tf_keras.Model(self.model.inputs[0], [pair.counterpart for pair in self.pairs])(x)
        for pair, source, copy in zip(self.pairs, sources, copies, strict=True):
            if not _close(source, copy):
                raise ExportError(
                    f"the layer {pair.name!r} computes something else in tf_keras, {_REMEDY}"
                )


def rebuild(model: Any) -> Twin:
    """Rebuild a functional Keras 3 model layer by layer, with its weights.

    Initialisers, regularisers and constraints are left behind.

    Args:
        model: One input, one output, of stock layers.

    Raises:
        ExportError: tf_keras has no such layer or operation.
    """
    import tf_keras

    source = tf_keras.Input(model.inputs[0].shape[1:], name=model.inputs[0].name)
    known: dict[int, Any] = {}
    layers: list[tuple[Any, Any]] = []
    pairs: list[TensorPair] = []

    def counterpart(operation: Any) -> Callable[..., Any]:
        if id(operation) not in known:
            known[id(operation)] = _counterpart(operation)
        return known[id(operation)]

    def walk(function: Any, inputs: list[Any], inner: bool) -> list[Any]:
        tensors = {id(x): y for x, y in zip(function.inputs, inputs, strict=True)}
        for node in calls_in(function):
            if node.is_input:
                continue
            operation = node.operation
            arguments, keywords = node.arguments.fill_in(tensors)
            if is_functional(operation):  # a model inside the model
                outputs = walk(operation, arguments, True)
            else:
                keywords.pop("training", None)  # False in some, which would stay in training
                outputs = [counterpart(operation)(*arguments, **keywords)]
                _copy_weights(operation, known[id(operation)], layers)
            if not inner:
                pairs.append(TensorPair(operation.name, node.outputs[0], outputs[0]))
            tensors |= {id(x): y for x, y in zip(node.outputs, outputs, strict=True)}
        return [tensors[id(x)] for x in function.outputs]

    (scores,) = walk(model, [source], False)
    return Twin(model, tf_keras.Model(source, scores, name=model.name), layers, pairs)


def _close(source: Any, copy: Any) -> bool:
    expected, received = np.asarray(source), np.asarray(copy)
    return expected.shape == received.shape and np.allclose(
        received, expected, rtol=0, atol=_TOLERANCE * max(float(np.abs(expected).max()), 1e-6)
    )


def _copy_weights(layer: Any, copy: Any, layers: list[tuple[Any, Any]]) -> None:
    if not getattr(copy, "weights", None) or any(layer is known for known, _ in layers):
        return
    copy.set_weights(layer.get_weights())
    layers.append((layer, copy))


def _counterpart(operation: Any) -> Callable[..., Any]:
    """Return a tf_keras layer of the same configuration, or a function."""
    import keras

    if isinstance(operation, keras.layers.Layer):
        return _layer(operation)
    functions = _functions(operation)
    kind = type(operation).__name__
    if kind not in functions:
        raise _unknown(operation)
    return functions[kind]


def _functions(operation: Any) -> dict[str, Callable[..., Any]]:
    import tensorflow as tf

    return {
        "Add": operator.add,
        "Divide": operator.truediv,
        "GetItem": operator.getitem,
        "Multiply": operator.mul,
        "Subtract": operator.sub,
        "Sum": lambda x: tf.reduce_sum(x, operation.axis, operation.keepdims),
    }


def _layer(layer: Any) -> Any:
    import keras
    import tf_keras

    kind = type(layer).__name__
    if not hasattr(tf_keras.layers, kind) or type(layer) is not getattr(keras.layers, kind, None):
        raise _unknown(layer)
    if kind == "Bidirectional":
        return tf_keras.layers.Bidirectional(
            _layer(layer.forward_layer),
            layer.merge_mode,
            backward_layer=_layer(layer.backward_layer),
            name=layer.name,
        )
    if kind == "Normalization":  # as constants, which copies of the twin keep
        return tf_keras.layers.Normalization(
            layer.axis,
            mean=np.asarray(layer.mean),
            variance=np.asarray(layer.variance),
            invert=layer.invert,
            name=layer.name,
        )
    configuration = {
        _RENAMED.get((kind, name), name): value
        for name, value in layer.get_config().items()
        if value is not None  # Keras 3's own, unused
        and not name.endswith(_NOT_CARRIED)
        and (value or name not in _ONLY_OFF)
    }
    configuration["dtype"] = layer.dtype_policy.name
    try:
        return getattr(tf_keras.layers, kind).from_config(configuration)
    except (TypeError, ValueError):  # an argument that it does not have
        raise _unknown(layer) from None


def _unknown(operation: Any) -> ExportError:
    return ExportError(
        f"{operation.name!r} ({type(operation).__name__}) has no counterpart in tf_keras, {_REMEDY}"
    )
