"""TFLite operators as blocks with weights: one function an operator, or a refusal by name."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Flatten, GlobalAveragePool, Pool, Reshape
from kerasnas.blocks.recorder import Padding, Pair
from kerasnas.blocks.trunk import Convolution, Depthwise
from kerasnas.export.flatbuffer.graph import TfliteGraph
from kerasnas.export.flatbuffer.reading import constant, is_constant, shape_of
from kerasnas.export.network.ops import Shape
from kerasnas.models.pretrained.way import Refused, Way, fused, scale

_ACTIVATIONS = {
    "ELU": "elu",
    "LOGISTIC": "sigmoid",
    "RELU": "relu",
    "RELU6": "relu6",
    "SOFTMAX": "softmax",
    "TANH": "tanh",
}
SAME = frozenset({"DEQUANTIZE", "QUANTIZE"})
SHAPING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_RECURRENT = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "CALL_ONCE",
        "LSTM",
        "RNN",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "WHILE",
    }
)
HOPELESS = _RECURRENT | {"CUSTOM"}
"""Operators that no file may have, wherever they stand."""
ARITHMETIC = frozenset({"ADD", "DIV", "MUL", "SUB"})


def read_operator(way: Way, operator: Any) -> None:
    """Append the block of an operator with one computed input to a way.

    Raises:
        Refused: It cannot be read.
    """
    name = way.graph.name_of(operator)
    if name in SAME:
        return
    if name in SHAPING:
        return _reshape(way, operator)
    if name == "SPLIT" and operator.builtinOptions.numSplits == 1:
        return None
    if name in ARITHMETIC:
        return scale(way, operator, name)
    if name in _READERS:
        _READERS[name](way, operator)
        options = operator.builtinOptions
        return way.activate(fused(getattr(options, "fusedActivationFunction", 0)), _place(operator))
    if name in _ACTIVATIONS:
        beta = getattr(operator.builtinOptions, "beta", 1.0)
        if beta != 1.0:
            raise Refused(f"its beta is {beta:g}, and 1 can be read")
        return way.activate(_ACTIVATIONS[name], _place(operator))
    raise Refused(why_not(way.graph, operator))


def why_not(graph: TfliteGraph, operator: Any) -> str:
    """Return what is to be said of an operator that has no reader."""
    name = graph.name_of(operator)
    if name == "CUSTOM":
        code = graph.file.model.operatorCodes[operator.opcodeIndex].customCode
        return f"{bytes(code or b'?').decode()} is no operator of TensorFlow Lite's own"
    if name in _RECURRENT:
        return "it is recurrent, and trunks are convolutional: take another file"
    known = sorted({*_READERS, *_ACTIVATIONS, *SAME, *SHAPING, *ARITHMETIC, "CONCATENATION"})
    return f"these can be read: {', '.join(known)}"


def _place(operator: Any) -> int:
    return int(operator.outputs[0])


def _padding(options: Any) -> Padding:
    return "same" if options.padding == 0 else "valid"


def _strides(options: Any) -> Pair:
    return int(options.strideH), int(options.strideW)


def _weights(way: Way, operator: Any, outputs: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Kernel as the file has it, and bias, zeros where it has none."""
    if not is_constant(way.graph, int(operator.inputs[1])):
        raise Refused("its weights are computed, not constants")
    kernel = constant(way.graph, int(operator.inputs[1]))
    given = len(operator.inputs) > 2 and int(operator.inputs[2]) >= 0
    bias = constant(way.graph, int(operator.inputs[2])) if given else np.zeros(outputs, np.float32)
    if kernel.dtype != np.float32 or bias.dtype != np.float32:
        raise Refused("its integer weights have no scale")
    return kernel, bias


def _as_picture(way: Way, operator: Any) -> None:
    """Give what was read the three axes, `(frames, bins, channels)`, that the operator reads."""
    shape = shape_of(way.graph, int(operator.inputs[0]))[1:]
    if shape == way.shape:
        return
    if len(shape) != 3 or prod(shape) != prod(way.shape):
        raise Refused(f"it reads {shape}, where {way.shape} was read: three axes are needed")
    way.add(Reshape(shape), {}, int(operator.inputs[0]), shape)


def _convolution(way: Way, operator: Any) -> None:
    _as_picture(way, operator)
    options = operator.builtinOptions
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        raise Refused("it is dilated")
    outputs = shape_of(way.graph, _place(operator))[-1]
    kernel, bias = _weights(way, operator, outputs)
    if kernel.shape[-1] != way.shape[-1]:
        raise Refused(f"it has groups of {kernel.shape[-1]} of {way.shape[-1]} channels")
    block = Convolution(outputs, kernel.shape[1:3], _strides(options), "linear", _padding(options))
    weights = {"conv/kernel": kernel.transpose(1, 2, 3, 0), "conv/bias": bias}
    way.add(block, weights, _place(operator), _picture(way, operator))


def _depthwise(way: Way, operator: Any) -> None:
    _as_picture(way, operator)
    options = operator.builtinOptions
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        raise Refused("it is dilated")
    kernel, bias = _weights(way, operator, shape_of(way.graph, _place(operator))[-1])
    _, rows, columns, outputs = kernel.shape
    strides, padding = _strides(options), _padding(options)
    channels = way.shape[-1]
    if channels == 1:  # a convolution that the converter wrote so
        block: Block = Convolution(outputs, (rows, columns), strides, "linear", padding)
        weights = {"conv/kernel": kernel[0, :, :, None, :], "conv/bias": bias}
    else:
        if strides[0] != strides[1]:
            raise Refused(f"it has strides of {strides}, and equal ones can be read")
        multiplier = outputs // channels
        block = Depthwise((rows, columns), strides, "linear", padding, multiplier)
        shaped = kernel[0].reshape(rows, columns, channels, multiplier)
        weights = {"depthwise/kernel": shaped, "depthwise/bias": bias}
    way.add(block, weights, _place(operator), _picture(way, operator))


def _dense(way: Way, operator: Any) -> None:
    outputs = shape_of(way.graph, _place(operator))[-1]
    kernel, bias = _weights(way, operator, outputs)
    keeps = operator.builtinOptions.keepNumDims and len(way.shape) > 1
    if not keeps and len(way.shape) > 1:
        if prod(way.shape) != kernel.shape[1]:
            raise Refused(f"it reads {way.shape} as vectors of {kernel.shape[1]}")
        way.add(Flatten(), {}, int(operator.inputs[0]), (prod(way.shape),))
    weights = {"dense/kernel": kernel.T, "dense/bias": bias}
    way.add(Dense(outputs, "linear"), weights, _place(operator), (*way.shape[:-1], outputs))


def _pool(mode: Literal["average", "max"]) -> Callable[[Way, Any], None]:
    def read(way: Way, operator: Any) -> None:
        _as_picture(way, operator)
        options = operator.builtinOptions
        size = int(options.filterHeight), int(options.filterWidth)
        strides = None if _strides(options) == size else _strides(options)
        usual = "valid" if strides is None else "same"
        padding = _padding(options)
        block = Pool(mode, size, strides, None if padding == usual else padding)
        way.add(block, {}, _place(operator), _picture(way, operator))

    return read


def _mean(way: Way, operator: Any) -> None:
    _as_picture(way, operator)
    axes = np.atleast_1d(constant(way.graph, int(operator.inputs[1])))
    rank = len(shape_of(way.graph, int(operator.inputs[0])))
    if sorted(int(axis) % rank for axis in axes) != [1, 2] or rank != 4:
        raise Refused(f"it takes the mean over axes {axes.tolist()}, and 1 and 2 can be read")
    way.add(GlobalAveragePool(), {}, _place(operator), way.shape[-1:])


def _picture(way: Way, operator: Any) -> Shape:
    """Shape of an output; convolutions and poolings have three axes besides the batch."""
    return shape_of(way.graph, _place(operator))[1:]


def _reshape(way: Way, operator: Any) -> None:
    """Another shape of the same values; axes of one value do not count."""
    shape = shape_of(way.graph, _place(operator))[1:]
    if prod(shape) != prod(way.shape) or not shape:
        raise Refused(f"it makes {shape} of {way.shape}: the batch must stay what it is")
    if [size for size in shape if size > 1] == [size for size in way.shape if size > 1]:
        return  # what comes behind asks for the axes that it needs
    way.add(Reshape(shape), {}, _place(operator), shape)


_READERS: dict[str, Callable[[Way, Any], None]] = {
    "AVERAGE_POOL_2D": _pool("average"),
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool("max"),
    "MEAN": _mean,
}
