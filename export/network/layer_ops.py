"""The operations of a Keras layer."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np

from ..errors import ExportError
from ..keras_model.private import calls_of
from .ops import RECURRENT, Op, Shape, Weight

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


def layer_ops(
    layer: Any, name: str, inputs: tuple[str, ...], read: tuple[Shape, ...], shape: Shape
) -> list[Op]:
    """Return the operations of one call of a layer, each after the other.

    Args:
        layer: A stock layer, or an operation of `keras.ops`.
        name: Of the last operation; the others have this name and a suffix.
        inputs: Names of the operations whose outputs it reads.
        read: The shapes of these outputs, without the batch.
        shape: Of its own output.

    Raises:
        ExportError: The arithmetic of the layer is not known here.
    """
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
    if kind not in RECURRENT or (bidirectional and layer.merge_mode is None):
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
