"""Recorded operations as a Keras model of stock layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from kerasnas.export.keras_model.private import name_operation
from kerasnas.export.network.ops import Op

_LAYERS: dict[str, Callable[[Op], Any]] = {
    "normalization": lambda op: layers.Normalization(
        axis=tuple(range(-len(op.weights[0].shape), 0)), name=op.name
    ),
    "conv2d": lambda op: layers.Conv2D(
        op.output_shape[-1],
        op.attributes["kernel_size"],
        op.attributes["strides"],
        padding=op.attributes.get("padding", "same"),
        use_bias=len(op.weights) > 1,
        name=op.name,
    ),
    "depthwise_conv2d": lambda op: layers.DepthwiseConv2D(
        op.attributes["kernel_size"],
        op.attributes["strides"],
        padding=op.attributes.get("padding", "same"),
        depth_multiplier=op.weights[0].shape[-1],
        use_bias=len(op.weights) > 1,
        name=op.name,
    ),
    "zero_padding2d": lambda op: layers.ZeroPadding2D(op.attributes["pads"], name=op.name),
    "dense": lambda op: _dense(op),
    "batch_norm": lambda op: layers.BatchNormalization(name=op.name),
    "activation": lambda op: layers.Activation(op.attributes["function"], name=op.name),
    "add": lambda op: layers.Add(name=op.name),
    "multiply": lambda op: layers.Multiply(name=op.name),
    "subtract": lambda op: layers.Subtract(name=op.name),
    "divide": lambda op: _divide(op.name),
    "concatenate": lambda op: layers.Concatenate(name=op.name),
    "get_item": lambda op: _item(op),
    "permute": lambda op: layers.Permute(op.attributes["dims"], name=op.name),
    "max_pool2d": lambda op: _pool(layers.MaxPooling2D, op),
    "average_pool2d": lambda op: _pool(layers.AveragePooling2D, op),
    "global_average_pool": lambda op: layers.GlobalAveragePooling2D(name=op.name),
    "mean_over_frames": lambda op: layers.GlobalAveragePooling1D(name=op.name),
    "reshape": lambda op: layers.Reshape(op.output_shape, name=op.name),
    "gru": lambda op: _recurrent(layers.GRU, op, reset_after=op.attributes["reset_after"]),
    "lstm": lambda op: _recurrent(layers.LSTM, op),
    "dropout": lambda op: layers.Dropout(op.attributes["rate"], name=op.name),
}


def _pool(kind: Any, op: Op) -> Any:
    strides = op.attributes.get("strides")
    padding = op.attributes.get("padding", "valid" if strides is None else "same")
    return kind(op.attributes["pool_size"], strides, padding=padding, name=op.name)


def _divide(name: str) -> Callable[[Any], Any]:
    """Return the quotient of two tensors: a function of Keras, since it has no such layer."""

    def quotient(tensors: Any) -> Any:
        result = keras.ops.divide(*tensors)
        name_operation(result, name)
        return result

    return quotient


def _dense(op: Op) -> Any:
    trainable = op.weights[0].trainable
    return layers.Dense(
        op.output_shape[-1],
        use_bias=len(op.weights) > 1,
        kernel_initializer="glorot_uniform" if trainable else "zeros",
        trainable=trainable,
        name=op.name,
    )


def _item(op: Op) -> Callable[[Any], Any]:
    """Return some channels or frames of a tensor: an item of it, since Keras has no such layer."""
    [(axis, bounds)] = op.attributes.items()
    key = (... if axis == "channels" else slice(None), slice(*bounds))

    def item(tensor: Any) -> Any:
        result = tensor[key]
        name_operation(result, op.name)
        return result

    return item


def _recurrent(kind: Any, op: Op, **arguments: Any) -> Any:
    arguments["return_sequences"] = op.attributes["return_sequences"]
    if not op.attributes["bidirectional"]:
        return kind(op.attributes["units"], name=op.name, **arguments)
    inner = kind(op.attributes["units"], name=op.name, **arguments)
    return layers.Bidirectional(inner, name=op.name)


def build(ops: tuple[Op, ...]) -> keras.Model:
    """Return a functional model; its layers carry the operations' names, the last is its output.

    Nothing is named by Keras, which counts what a process has built: the same network gives the
    same file whatever was built before.
    """
    tensors: dict[str, Any] = {}
    for op in ops:
        if op.kind == "input":
            tensors[op.name] = keras.Input(op.output_shape, name=op.name)
            continue
        inputs = [tensors[name] for name in op.inputs]
        tensors[op.name] = _LAYERS[op.kind](op)(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(tensors[ops[0].name], tensors[ops[-1].name], name="network")
