"""Attention over frames in int16: softmax, products, sums, means and quotients.

In int8, softmax has a step of 1/256: over 125 frames it mostly gives zeros, and a quotient of two
sums of them fails, since the runtime refuses to divide by zero. Here what follows such a softmax,
up to the next layer with weights, is int16, and a quotient is one of int32 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arrays import Floats
from ..flatbuffer.graph import Scale, TfliteFile, TfliteTensor
from ..keras_model.recurrent import Range
from .writer import RUNTIME, IntegerWriter

_MOST = 32767
_MARGIN = 1.25  # over what calibration saw: int16 has room for it


class WideOperation(NamedTuple):
    """One operation; `axis` counts the batch, for softmax, sum and mean."""

    kind: Literal["softmax", "multiply", "sum", "mean", "divide"]
    axis: int = 1


def wide_operation(layer: Any, inputs: Sequence[Any], wide: bool) -> WideOperation | None:
    """Return the operation of a Keras layer; None for what is left to the converter.

    Args:
        layer: The layer, or the operation of `keras.ops`.
        inputs: Its symbolic inputs.
        wide: Whether one of them is int16 already.
    """
    title = type(layer).__name__
    if title in ("Divide", "TrueDivide") and len(inputs) == 2:
        return WideOperation("divide")
    if title in ("Softmax", "Activation") and len(inputs) == 1:
        rank = len(inputs[0].shape)
        name = getattr(getattr(layer, "activation", None), "__name__", None)
        axis = getattr(layer, "axis", -1)
        if rank == 3 and axis in (1, 2, -1) and (title == "Softmax" or name == "softmax"):
            return WideOperation("softmax", axis % rank)
    if not wide:
        return None
    if title == "Multiply" and len(inputs) >= 2:
        return WideOperation("multiply")
    if title == "GlobalAveragePooling1D" and layer.data_format == "channels_last":
        return WideOperation("mean")
    axes = getattr(layer, "axis", None)
    if title in ("Sum", "Mean") and axes in (1, [1], (1,)) and not layer.keepdims:
        return WideOperation("sum" if title == "Sum" else "mean")
    return None


def compute(operation: WideOperation, inputs: Sequence[Floats]) -> Floats:
    """Return the operation in float, on `(examples, ...)`."""
    kind, axis = operation
    if kind == "softmax":
        shares = np.exp(inputs[0] - inputs[0].max(axis=axis, keepdims=True))
        result: Floats = shares / shares.sum(axis=axis, keepdims=True)
    elif kind == "multiply":
        result = np.prod(np.broadcast_arrays(*inputs), axis=0)
    elif kind == "divide":
        x, y = inputs
        result = np.divide(x, y, out=np.zeros_like(x + y), where=y != 0)
    else:
        result = (np.sum if kind == "sum" else np.mean)(inputs[0], axis=axis)
    return result


def write_wide(
    file: TfliteFile, operation: WideOperation, inputs: Sequence[TfliteTensor], result: Range
) -> TfliteTensor:
    """Write an operation on int8 or int16 tensors.

    Args:
        file: What is written to, in its main graph.
        operation: What.
        inputs: What it reads.
        result: The range of its output in float.

    Returns:
        Its output, int16.
    """
    file.require_runtime(RUNTIME)
    graph = file.main
    writer = IntegerWriter(graph)
    wide = [writer.widen(x) if x.kind == "int8" else x for x in inputs]
    scale = wide_scale(result)
    if operation.kind == "softmax":
        return _softmax(writer, wide[0], operation.axis)
    if operation.kind == "divide":
        return _divide(writer, wide[0], wide[1], scale)
    if operation.kind == "multiply":
        return _multiply(writer, wide, scale)
    frames = wide[0].shape[1]
    if operation.kind == "mean":
        return writer.mean(wide[0], scale)
    # SUM of int16 is younger than all else here; MEAN is not.
    mean = writer.mean(wide[0], Scale(scale.step / frames))
    count = graph.constant(np.array([_MOST], np.int16), Scale(frames / _MOST))
    return writer.binary("MUL", mean, count, scale)


def wide_scale(range_: Range) -> Scale:
    """Return the scale of int16 that covers a range, and some more."""
    return Scale(_MARGIN * max(-range_.low, range_.high, 1e-6) / _MOST)


def _multiply(writer: IntegerWriter, inputs: Sequence[TfliteTensor], scale: Scale) -> TfliteTensor:
    # In between, the product of what two tensors can hold at most.
    product = inputs[0]
    for index, factor in enumerate(inputs[1:], 2):
        assert product.scale is not None and factor.scale is not None
        most = _MOST * product.scale.step * factor.scale.step
        inner = scale if index == len(inputs) else Scale(most)
        product = writer.binary("MUL", product, factor, inner)
    return product


def _softmax(writer: IntegerWriter, x: TfliteTensor, axis: int) -> TfliteTensor:
    if axis == 2:
        return writer.softmax(x)
    swapped = writer.transpose(x, (0, 2, 1))
    return writer.transpose(writer.softmax(swapped), (0, 2, 1))


def _divide(writer: IntegerWriter, x: TfliteTensor, y: TfliteTensor, scale: Scale) -> TfliteTensor:
    """Return `x / y` by integers: `(x * factor) / y`, where the factor makes the quotient's steps.

    What would be divided by nothing is divided by one step.
    """
    assert x.scale is not None and y.scale is not None
    factor = min(round(x.scale.step / (y.scale.step * scale.step)), 2**31 // 32768 - 1)
    factor = max(factor, 1)
    reached = Scale(x.scale.step / (y.scale.step * factor))
    product = writer.int32("MUL", writer.cast(x, "int32"), factor)
    divisor = writer.cast(y, "int32")
    nothing = writer.cast(writer.is_zero(divisor), "int32")
    divisor = writer.int32("ADD", divisor, nothing)
    quotient = writer.int32("DIV", product, divisor)
    quotient = writer.int32("MAXIMUM", writer.int32("MINIMUM", quotient, _MOST), -_MOST)
    return writer.cast(quotient, "int16", reached)
