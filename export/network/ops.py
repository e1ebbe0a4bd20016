"""Elementary operations of a network as plain data.

Whoever describes a network as a tuple of these gets its cost and the bytes of its TFLite files
without building it. An operation carries the name of the Keras layer that computes it.
Named tuples, since a size-constrained search makes millions of them.

Kinds that are not a plain Keras layer of the same name, with their attributes and the layer that
computes them (shapes without the batch):

- `gru`, `lstm`: `units`, `bidirectional`, `return_sequences`, and `reset_after` for `gru`; `plain`
  is false where activations are others than tanh and sigmoid, or there is a mask or a state that
  goes in or out; `merged` tells how both directions become one where they are not concatenated.
  `(frames, channels)` to `(frames, units)`, or `(units,)` without sequences; twice the units where
  bidirectional (`layers.Bidirectional`, outputs concatenated). Weights in Keras' order: `kernel`,
  `recurrent_kernel`, `bias`, the forward direction's before the backward direction's.
- `reshape`: `layers.Reshape`, such as `(frames, bins, channels)` to `(frames, bins * channels)`.
- `mean_over_frames`: `(frames, channels)` to `(channels,)`, `layers.GlobalAveragePooling1D`.
- `sum_over_frames`: the same sum, `keras.ops.sum(x, axis=1)`.
- `softmax_over_frames`: `layers.Softmax(axis=1)` of `(frames, channels)`.
- `get_item`: the `channels` from the first to below the second of these two, `x[..., a:b]`, or
  the `frames`, `x[:, a:b]`.
- `permute`: `layers.Permute` by its `dims`, counted from 1.
- `conv1d`, `conv2d`, `depthwise_conv1d`, `depthwise_conv2d`, `conv2d_transpose`: `kernel_size`,
  `strides`, and `padding` where it is not `same`.
- `layer_normalization`: over the last axis; whether there is a `scale` and a `center`.
- `multi_head_attention`: without masks; its `heads`, the `key_width` and `value_width` of one, the
  `keys`, how many there are, what the projections of query, key and value read (`reads`, channels),
  and whether there is a `bias`.
- `embedding`: `layers.Embedding` of indices that are given as floats.
- `rescaling`: whether there is an `offset`. `zero_padding2d`: `pads`, before and after, by axis.
- `max_pool2d`, `average_pool2d`: `pool_size`, `strides` where windows overlap or leave gaps, and
  `padding` where it is neither `valid` without strides nor `same` with them.
- `add`, `subtract`, `multiply`, `concatenate` (last axis): Keras' merging layers; frames of one
  channel are multiplied onto all channels, one frame is subtracted from all frames.
- `divide`: `keras.ops.divide(x, y)`.
- `activation`: `function`, by the name Keras gives it (`elu`, `silu`, `softmax`, ...).

`keras.ops` functions become nodes of a functional model, which reload under `safe_mode`; such a
node is named by `keras_model.private.name_operation` before the model is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..errors import ExportError
from ..keras_model.private import call_again, calls_of, is_functional

Shape = tuple[int, ...]


class Weight(NamedTuple):
    """One weight tensor of an operation, by the name Keras gives it (`kernel`, `gamma`, ...)."""

    name: str
    shape: Shape
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of scalars."""
        return prod(self.shape)


class Op(NamedTuple):
    """One elementary operation.

    Attributes:
        kind: The primitive: `input`, `normalization`, `conv2d`, `depthwise_conv2d`, `dense`,
            `batch_norm`, `activation`, `add`, `max_pool2d`, `average_pool2d`,
            `global_average_pool`, `dropout`, ...; see above for others.
        name: Unique in the network, and the name of the Keras layer.
        inputs: Names of the operations whose outputs it reads; empty for `input`.
        output_shape: Without the batch dimension.
        weights: Its weight tensors.
        macs: Multiply-accumulates for one example.
        attributes: What else distinguishes it: `kernel_size`, `strides`, `function`, ...
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    output_shape: Shape
    weights: tuple[Weight, ...] = ()
    macs: int = 0
    attributes: Mapping[str, Any] = MappingProxyType({})

    @property
    def parameters(self) -> int:
        """Number of scalars in all its weights."""
        return sum(weight.size for weight in self.weights)


RECURRENT = frozenset({"gru", "lstm"})
"""Kinds of layers that take frames in turn."""

_KINDS = {
    "ActivityRegularization": "dropout",
    "Add": "add",
    "AlphaDropout": "dropout",
    "AveragePooling2D": "average_pool2d",
    "BatchNormalization": "batch_norm",
    "Concatenate": "concatenate",
    "Conv1D": "conv1d",
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "DepthwiseConv1D": "depthwise_conv1d",
    "DepthwiseConv2D": "depthwise_conv2d",
    "Dropout": "dropout",
    "GaussianDropout": "dropout",
    "GRU": "gru",
    "GaussianNoise": "dropout",
    "GlobalAveragePooling1D": "mean_over_frames",
    "GlobalAveragePooling2D": "global_average_pool",
    "Identity": "dropout",
    "InputLayer": "input",
    "LSTM": "lstm",
    "MaxPooling2D": "max_pool2d",
    "Multiply": "multiply",
    "SpatialDropout1D": "dropout",
    "SpatialDropout2D": "dropout",
    "ZeroPadding2D": "zero_padding2d",
}
_CONVOLUTIONS = frozenset(
    {"conv1d", "conv2d", "conv2d_transpose", "depthwise_conv1d", "depthwise_conv2d"}
)
_OF_FRAMES = frozenset({"conv1d", "depthwise_conv1d"})
# Layers with weights but without convolutions or dense products.
_WITHOUT_MACS = frozenset(
    {"batch_norm", "normalization", "layer_normalization", "group_normalization", "p_re_l_u"}
    | {"embedding"}
)


def from_keras(model: Any) -> tuple[Op, ...]:
    """Return the operations of a functional Keras model.

    Multiply-accumulates count convolutions and dense layers, once, for one example. A layer's
    `activation` argument becomes an operation of its own, a separable convolution becomes two, a
    layer that is called again has its weights at its first call only. Models inside the model are
    written out.

    Args:
        model: A functional or sequential model of stock layers.

    Raises:
        ExportError: The model is subclassed, a size is not known, or the arithmetic of one of its
            layers is not known here.
    """
    import keras

    try:
        functional = _written_out(keras.Model(model.inputs, model.outputs))
        config = functional.get_config()
    except (AttributeError, TypeError, ValueError):
        raise ExportError(
            f"the graph of {type(model).__name__} is not known: build it with "
            "keras.Model(inputs, outputs)"
        ) from None
    layers = {operation.name: operation for operation in functional.operations}
    shapes = _shapes(config, functional)
    for (name, _), shape in shapes.items():
        if None in shape:
            raise ExportError(
                f"the layer {name!r} has an output of unknown size {shape}: build the model with a "
                "fixed keras.Input(shape=...)"
            )
    ops: list[Op] = []
    made: dict[str, Shape] = {}
    outputs: dict[tuple[str, int], str] = {}
    for entry in config["layers"]:
        calls = entry["inbound_nodes"] or [None]  # an input is not called
        for call, arguments in enumerate(calls):
            key = (entry["name"], call)
            if key not in shapes:
                continue
            inputs = tuple(outputs[source] for source, _ in _tensors(arguments))
            read = tuple(made[name] for name in inputs)
            steps = _steps(layers[entry["name"]], entry["name"], inputs, read, shapes[key])
            if call:
                steps = [
                    step._replace(
                        name=f"{step.name}:{call}",
                        inputs=inputs if index == 0 else (f"{step.inputs[0]}:{call}",),
                        weights=(),
                    )
                    for index, step in enumerate(steps)
                ]
            ops += steps
            made |= {step.name: step.output_shape for step in steps}
            outputs[key] = steps[-1].name
    return tuple(ops)


def _written_out(model: Any) -> Any:
    """Return a model without models inside it, which shares its layers; itself without any."""
    import keras

    if not any(is_functional(operation) for operation in model.operations):
        return model

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if is_functional(layer):
            return call_again(layer, arguments[0], call)
        return layer(*arguments, **keywords)

    inputs = [keras.Input(each.shape[1:], dtype=each.dtype) for each in model.inputs]
    outputs = call_again(model, inputs, call)
    return keras.Model(inputs, keras.tree.flatten(outputs))


def _tensors(arguments: Any) -> list[tuple[tuple[str, int], Shape]]:
    """Return key and shape of every tensor in the arguments of a call, as a configuration."""
    if isinstance(arguments, dict):
        if arguments.get("class_name") == "__keras_tensor__":
            tensor = arguments["config"]
            name, call, _ = tensor["keras_history"]
            return [((name, call), tuple(tensor["shape"][1:]))]
        arguments = list(arguments.values())
    if isinstance(arguments, list | tuple):
        return [tensor for item in arguments for tensor in _tensors(item)]
    return []


def _shapes(config: Any, model: Any) -> dict[tuple[str, int], Shape]:
    """Return the shape of every output in the model, by layer and call."""
    shapes = dict(
        tensor
        for entry in config["layers"]
        for arguments in entry["inbound_nodes"]
        for tensor in _tensors(arguments)
    )
    last = config["output_layers"]
    for (name, call, _), output in zip(
        last if isinstance(last[0], list) else [last], model.outputs, strict=True
    ):
        shapes[name, call] = tuple(output.shape[1:])
    return shapes


def _steps(
    layer: Any, name: str, inputs: tuple[str, ...], read: tuple[Shape, ...], shape: Shape
) -> list[Op]:
    """Return the operations of a layer that reads the shapes `read`, each after the other."""
    title = type(layer).__name__
    weights = tuple(
        Weight(weight.name, tuple(weight.shape), weight.trainable)
        for weight in getattr(layer, "weights", ())
    )
    function = _function(layer)
    steps: list[Op]
    if title in ("GRU", "LSTM", "Bidirectional"):
        return [_recurrent(layer, name, inputs, read[0][0], shape, weights)]
    if title == "MultiHeadAttention":
        return [_attention(layer, name, inputs, read, shape, weights)]
    if title in ("SeparableConv1D", "SeparableConv2D"):
        rank = title[-2:].lower()
        depthwise, pointwise, *bias = weights
        channels = depthwise.shape[-2] * depthwise.shape[-1]
        inner = Op(
            f"depthwise_conv{rank}",
            f"{name}.depthwise",
            inputs,
            (*shape[:-1], channels),
            (depthwise,),
            prod(shape[:-1]) * depthwise.size,
            {"frames": read[0][0], "reshaped": ("before",)} if rank == "1d" else {},
        )
        outer = Op(
            f"conv{rank}",
            name,
            (inner.name,),
            shape,
            (pointwise, *bias),
            prod(shape[:-1]) * pointwise.size,
            {"frames": shape[0], "reshaped": ("after",)} if rank == "1d" else {},
        )
        steps = [inner, outer]
    elif title == "Softmax" and layer.axis == 1 and len(shape) == 2:
        return [Op("softmax_over_frames", name, inputs, shape)]
    elif title in ("Activation", "ReLU", "Softmax", "ELU", "LeakyReLU"):
        return [Op("activation", name, inputs, shape, attributes={"function": function})]
    else:
        kind = _kind(layer, title, shape)
        attributes = _attributes(layer, kind)
        if kind in _OF_FRAMES:
            attributes |= {"frames": read[0][0]}
        places = read[0] if kind == "conv2d_transpose" else shape  # a product at each
        macs = _macs(kind, name, weights, places)
        steps = [Op(kind, name, inputs, shape, weights, macs, attributes)]
    if function != "linear":
        steps.append(
            Op("activation", f"{name}.{function}", (name,), shape, (), 0, {"function": function})
        )
    return steps


def _kind(layer: Any, title: str, shape: Shape) -> str:
    if title == "Sum" and layer.axis in (1, [1], (1,)) and not layer.keepdims and len(shape) == 1:
        return "sum_over_frames"
    return _KINDS.get(title) or re.sub(r"(?<!^)(?=[A-Z])", "_", title).lower()


def _recurrent(
    layer: Any,
    name: str,
    inputs: tuple[str, ...],
    frames: int,
    shape: Shape,
    weights: tuple[Weight, ...],
) -> Op:
    """Return a GRU or LSTM layer, in one direction or both; products count once for every frame."""
    bidirectional = type(layer).__name__ == "Bidirectional"
    inner = layer.forward_layer if bidirectional else layer
    kind = _KINDS.get(type(inner).__name__, type(inner).__name__)
    if kind not in ("gru", "lstm") or (bidirectional and layer.merge_mode is None):
        raise ExportError(
            f"the arithmetic of the layer {name!r} is not known: use GRU or LSTM, with their "
            "outputs merged where both directions are read"
        )
    attributes = {
        "units": inner.units,
        "bidirectional": bidirectional,
        "return_sequences": inner.return_sequences,
    }
    if kind == "gru":
        attributes["reset_after"] = inner.reset_after
    names = [getattr(f, "__name__", f) for f in (inner.activation, inner.recurrent_activation)]
    if names != ["tanh", "sigmoid"] or inner.return_state or len(inputs) != 1:
        attributes["plain"] = False
    if bidirectional and layer.merge_mode != "concat":
        attributes["merged"] = layer.merge_mode
    macs = frames * sum(weight.size for weight in weights if "kernel" in weight.name)
    return Op(kind, name, inputs, shape, weights, macs, attributes)


def _attention(
    layer: Any,
    name: str,
    inputs: tuple[str, ...],
    read: tuple[Shape, ...],
    shape: Shape,
    weights: tuple[Weight, ...],
) -> Op:
    """Return an attention layer that reads frames: query, value, and key where it is another."""
    masked = any(call.arguments.kwargs.get("use_causal_mask") for call in calls_of(layer))
    plain = len(read) in (2, 3) and all(len(each) == 2 for each in read) and not masked
    if not plain or layer.dropout:
        raise ExportError(
            f"the arithmetic of the layer {name!r} is not known: attention over frames is, without "
            "masks and dropout"
        )
    query, key = read[0], read[-1]
    kernels = [weight.shape for weight in weights if weight.name == "kernel"]
    heads, width = kernels[0][1:]
    value_width = kernels[2][2]
    macs = query[0] * (prod(kernels[0]) + prod(kernels[3]))
    macs += key[0] * (prod(kernels[1]) + prod(kernels[2]))
    macs += heads * query[0] * key[0] * (width + value_width)
    attributes = {
        "heads": heads,
        "key_width": width,
        "value_width": value_width,
        "keys": key[0],
        "reads": (query[1], key[1], read[1][1]),
        "bias": any(weight.name == "bias" for weight in weights),
    }
    return Op("multi_head_attention", name, inputs, shape, weights, macs, attributes)


def _attributes(layer: Any, kind: str) -> dict[str, Any]:
    """Return what distinguishes a layer's operation besides its weights and shapes."""
    if kind == "normalization" and not layer.weights:  # its statistics were given, not learnt
        return {"statistics": prod(layer.mean.shape)}
    if kind in _CONVOLUTIONS:
        size = {"kernel_size": tuple(layer.kernel_size), "strides": tuple(layer.strides)}
        return size | ({} if layer.padding == "same" else {"padding": layer.padding})
    if kind in ("average_pool2d", "max_pool2d"):
        window = {"pool_size": tuple(layer.pool_size)}
        usual = "valid" if tuple(layer.strides) == window["pool_size"] else "same"
        if usual == "same":
            window["strides"] = tuple(layer.strides)
        return window | ({} if layer.padding == usual else {"padding": layer.padding})
    if kind == "layer_normalization":
        if layer.axis != [-1] or layer.rms_scaling:
            raise ExportError(
                f"the arithmetic of the layer {layer.name!r} is not known: that of layer "
                "normalisation over the last axis is"
            )
        return {"scale": layer.scale, "center": layer.center}
    if kind == "rescaling":
        return {"offset": bool(np.any(layer.offset))}
    if kind == "zero_padding2d":
        return {"pads": tuple(map(tuple, layer.padding))}
    if kind == "permute":
        return {"dims": tuple(layer.dims)}
    if kind == "get_item":
        key = calls_of(layer)[0].arguments.args[1]
        # A list in a model that was read from a file.
        if isinstance(key, tuple | list) and len(key) == 2 and isinstance(key[1], slice):
            if key[0] is Ellipsis:
                return {"channels": (key[1].start, key[1].stop)}
            if key[0] == slice(None):
                return {"frames": (key[1].start, key[1].stop)}
    if type(layer).__name__ == "Dropout":
        return {"rate": layer.rate}
    return {}


def _function(layer: Any) -> str:
    """Return the name of a layer's activation function."""
    title = type(layer).__name__
    if title == "ReLU":
        plain = not layer.negative_slope and not layer.threshold
        names = {None: "relu", 6: "relu6"}
        return names.get(layer.max_value, "clipped_relu") if plain else "clipped_relu"
    if title in ("Softmax", "ELU", "LeakyReLU"):
        return {"LeakyReLU": "leaky_relu"}.get(title, title.lower())
    function = getattr(layer, "activation", None)
    return "linear" if function is None else str(getattr(function, "__name__", function))


def _macs(kind: str, name: str, weights: tuple[Weight, ...], shape: Shape) -> int:
    if kind in _CONVOLUTIONS or kind == "dense":
        return prod(shape[:-1]) * weights[0].size
    if weights and kind not in _WITHOUT_MACS:
        raise ExportError(
            f"the multiply-accumulates of the layer {name!r} ({kind}) are not known: use "
            "convolutions, dense layers and normalisations"
        )
    return 0
