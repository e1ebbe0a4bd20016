"""Kernels of integer products in 4 bits, two in a byte.

The runtime unpacks them to int8 in front of every product, and computes as with those: what such
a file saves is bytes, not time. CONV_2D and FULLY_CONNECTED know them from 2.11 on. Kernels of
depthwise convolutions stay: they have few weights, and lose most.

A channel's step is the one, among some that cut off its outermost weights, that leaves the least
sum of squared errors: 15 numbers are too few to reach from end to end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..flatbuffer.graph import TfliteFile, TfliteGraph

RUNTIME = (2, 11, 0)
_VERSIONS = {"CONV_2D": 7, "FULLY_CONNECTED": 10}
_LEAST = 256  # scalars of a kernel: of smaller ones, little is saved
_MOST = 7
_SHARES = np.linspace(0.4, 1, 25)  # of the greatest weight, that a step reaches to


def with_int4_weights(file: TfliteFile) -> int:
    """Store the kernels of int8 products in 4 bits; return how many there are."""
    count = 0
    for graph in file.graphs:
        for operator in graph.t.operators:
            name = graph.name_of(operator)
            if name in _VERSIONS and _is_wide_enough(graph, operator):
                _narrow(graph, operator)
                operator.opcodeIndex = file.operator_code(name, _VERSIONS[name])
                count += 1
    if count:
        file.require_runtime(RUNTIME)
    return count


def _is_wide_enough(graph: TfliteGraph, operator: Any) -> bool:
    """Return whether an operator has a kernel of int8 of its own, and that is large enough."""
    index = int(operator.inputs[1])
    kernel = graph.existing(index)
    constant = _data(graph, index) is not None
    alone = len(graph.consumers(index)) == 1 and all(
        len(graph.consumers(int(i))) == 1 for i in operator.inputs[2:] if i >= 0
    )
    large = int(np.prod(kernel.shape)) >= _LEAST
    return constant and alone and large and kernel.kind == "int8" and kernel.scale is not None


def _narrow(graph: TfliteGraph, operator: Any) -> None:
    file, (_, kernel, *rest) = graph.file, (int(index) for index in operator.inputs)
    tensor = graph.t.tensors[kernel]
    steps = np.asarray(tensor.quantization.scale, np.float64)
    data = np.frombuffer(_data(graph, kernel) or b"", np.int8).astype(np.float64)
    rows = data.reshape(len(steps), -1)  # both operators have the channels first
    narrow, factors = _least_squares(rows)
    tensor.quantization.scale = (steps * factors).astype(np.float32)
    tensor.type, tensor.buffer = file.schema.TensorType.INT4, file.buffer(_packed(narrow))
    for index in rest:
        if index < 0:
            continue
        bias = graph.t.tensors[index]
        values = np.frombuffer(_data(graph, index) or b"", np.int32) / factors
        bias.buffer = file.buffer(np.round(values).astype(np.int32).tobytes())
        scale = np.asarray(bias.quantization.scale, np.float64) * factors
        bias.quantization.scale = scale.astype(np.float32)


def _least_squares(rows: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return rows in 4 bits, and the step of each in steps of the given integers."""
    reach = np.maximum(np.abs(rows).max(axis=1), 1)
    best = np.full(len(rows), np.inf)
    steps = reach / _MOST
    for share in _SHARES:
        step = share * reach / _MOST
        rounded = np.clip(np.round(rows / step[:, None]), -_MOST, _MOST) * step[:, None]
        errors = np.sum((rounded - rows) ** 2, axis=1)
        steps = np.where(errors < best, step, steps)
        best = np.minimum(best, errors)
    narrow = np.clip(np.round(rows / steps[:, None]), -_MOST, _MOST).astype(np.int8)
    return narrow, steps


def _packed(values: NDArray[np.int8]) -> bytes:
    """Return numbers of 4 bits, the first of two in the lower half of a byte."""
    flat = values.reshape(-1)
    if len(flat) % 2:
        flat = np.append(flat, np.int8(0))
    return (flat[0::2] & 15 | (flat[1::2] & 15) << 4).astype(np.uint8).tobytes()


def _data(graph: TfliteGraph, index: int) -> bytes | None:
    """Return the bytes of a constant; None for other tensors."""
    data = graph.file.model.buffers[graph.t.tensors[index].buffer].data
    return None if data is None or not len(data) else bytes(bytearray(data))
