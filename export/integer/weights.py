"""Kernels that the converter leaves in float32, stored in int8 or float16.

With int8 weights the converter (of TensorFlow 2.21) stores those of 1024 scalars and more: a file
of small layers has none, and is larger than one of float16. Such a kernel is stored in int8 here,
with one step. Those of operators that are left in float between integers are stored in float16.
Either becomes float32 again in front of its operator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..flatbuffer.graph import Scale, TfliteFile, TfliteGraph, TfliteTensor
from ..flatbuffer.writer import GraphWriter

_KERNELS = {  # which inputs of an operator are kernels, where they are constant
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "FULLY_CONNECTED": (1,),
    "TRANSPOSE_CONV": (1,),
}
_DEQUANTIZE_VERSIONS = {"int8": 2, "float16": 3}  # the first of each
_RUNTIME_FLOAT16 = (1, 15, 0)
_LEAST_STEP = 1e-8


def with_int8_weights(file: TfliteFile) -> None:
    """Store every kernel of a file that is float32 in int8."""
    _store_kernels(file, _integers)


def with_float16_weights(file: TfliteFile) -> None:
    """Store every kernel of a file that is float32 in float16."""
    _store_kernels(file, lambda graph, values: graph.constant(values.astype(np.float16)))
    file.require_runtime(_RUNTIME_FLOAT16)


def _store_kernels(
    file: TfliteFile, store: Callable[[TfliteGraph, np.ndarray], TfliteTensor]
) -> None:
    for graph in file.graphs:
        stored: dict[int, int] = {}  # by the float kernel: what is made of the stored one
        for operator in list(graph.t.operators):
            inputs = [int(index) for index in operator.inputs]
            for place in _KERNELS.get(graph.name_of(operator), ()):
                index = inputs[place]
                values = _float_kernel(graph, index)
                if index not in stored and values is not None:
                    stored[index] = _floats(graph, store(graph, values))
                inputs[place] = stored.get(index, index)
            operator.inputs = inputs
        if stored:
            graph.sort()


def _float_kernel(graph: TfliteGraph, index: int) -> np.ndarray | None:
    """Return a constant kernel of float32; None for any other tensor."""
    tensor = graph.existing(index)
    data = graph.file.model.buffers[graph.t.tensors[index].buffer].data
    if tensor.kind != "float32" or len(tensor.shape) < 2 or data is None or not len(data):
        return None
    return np.frombuffer(bytes(bytearray(data)), np.float32).reshape(tensor.shape)


def _integers(graph: TfliteGraph, values: np.ndarray) -> TfliteTensor:
    step = max(float(np.abs(values).max()), _LEAST_STEP) / 127
    integers = np.clip(np.round(values / step), -127, 127).astype(np.int8)
    return graph.constant(integers, Scale(step))


def _floats(graph: TfliteGraph, stored: TfliteTensor) -> int:
    """Return what makes float32 of a stored kernel again."""
    output = graph.tensor(stored.shape, "float32")
    version = _DEQUANTIZE_VERSIONS[stored.kind]
    GraphWriter(graph).write_to("DEQUANTIZE", (stored,), (output,), version=version)
    return output.place
