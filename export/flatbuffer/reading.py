"""Reading the graph of a `.tflite` file that others made: constants as numbers, damage refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from .facts import looks_like_tflite
from .graph import TfliteFile, TfliteGraph
from .metadata import BUFFER, Metadata, read_metadata

_STORED = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
}


def open_graph(path: Path) -> TfliteFile:
    """Open a file to read its main graph; nothing in it is run.

    Raises:
        ExportError: The file is missing, damaged, or no `.tflite` file.
    """
    if not path.is_file():
        raise ExportError(f"{path} {'is no file' if path.exists() else 'does not exist'}")
    if not looks_like_tflite(path):
        raise ExportError(
            f"{path} is damaged, or no .tflite file: its bytes 4 to 7 should read TFL3; get it "
            "again"
        )
    try:
        file = TfliteFile(path.read_bytes())
        _check_references(file)
    except Exception as error:  # the parser raises what the damaged part happens to raise
        raise ExportError(f"{path} is damaged ({error}): get it again") from None
    return file


def _check_references(file: TfliteFile) -> None:
    """Raise what is wrong where the main graph names what is not there, or what comes later."""
    graph, buffers = file.main.t, len(file.model.buffers)
    tensors = len(graph.tensors)
    if not all(0 <= int(end) < tensors for end in [*graph.inputs, *graph.outputs]):
        raise IndexError("an input or output of the network is not there")
    held = [*graph.tensors, *(file.model.metadata or ())]
    if not all(0 <= int(each.buffer) < buffers for each in held):
        raise IndexError("values that a tensor holds are not there")
    later = {int(place) for operator in graph.operators for place in operator.outputs}
    for operator in graph.operators:
        file.main.name_of(operator)
        places = [*operator.inputs, *operator.outputs]
        if not all(-1 <= int(place) < tensors for place in places):
            raise IndexError("an operator reads a tensor that is not there")
        if not later.isdisjoint(int(place) for place in operator.inputs):
            raise ValueError("an operator reads what is computed behind it")
        later.difference_update(int(place) for place in operator.outputs)


def metadata_of(file: TfliteFile, content: bytes) -> Metadata:
    """Return what a file says of itself; `content` is all of it."""
    data = [
        bytes(bytearray(file.model.buffers[entry.buffer].data))
        for entry in file.model.metadata or ()
        if entry.name == BUFFER
    ]
    return read_metadata(content, data[0] if data else None)


def is_constant(graph: TfliteGraph, index: int) -> bool:
    """Whether a tensor's values are in the file, perhaps behind a conversion to float32."""
    producer = graph.producer(index)
    if producer is None:
        data = graph.file.model.buffers[graph.t.tensors[index].buffer].data
        return data is not None and len(data) > 0
    return graph.name_of(producer) == "DEQUANTIZE" and is_constant(graph, int(producer.inputs[0]))


def constant(graph: TfliteGraph, index: int) -> NDArray[Any]:
    """Return the values of a constant: float32 where they stand for numbers, else integers.

    Integers with a scale, and float16, become float32. A conversion that the file makes when it
    runs (DEQUANTIZE) is looked through.

    Raises:
        ExportError: The values are packed in a way that is not known here, or are not finite.
    """
    producer = graph.producer(index)
    if producer is not None:
        return constant(graph, int(producer.inputs[0]))
    tensor = graph.t.tensors[index]
    kind = _type_name(graph, tensor)
    if kind not in _STORED or tensor.sparsity is not None:
        how = "sparse" if tensor.sparsity is not None else f"of type {kind}"
        raise ExportError(
            f"constant {index} is {how}: constants of {', '.join(_STORED)} can be read"
        )
    data = np.asarray(graph.file.model.buffers[tensor.buffer].data, np.uint8)
    shape = tuple(int(size) for size in _given(tensor.shape))
    try:
        values = data.view(_STORED[kind]).reshape(shape)
    except ValueError:
        raise ExportError(
            f"constant {index} has {len(data)} bytes, which are not {shape} of {kind}: the file "
            "is damaged, get it again"
        ) from None
    quantization = tensor.quantization
    if quantization is not None and len(_given(quantization.scale)):
        return _numbers(values, quantization)
    if np.issubdtype(values.dtype, np.integer):
        return values
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise ExportError(f"constant {index} has values that are not finite: get the file again")
    return values


def shape_of(graph: TfliteGraph, index: int) -> tuple[int, ...]:
    """Shape of a tensor with its batch; -1 for a size that is not known before a run."""
    tensor = graph.t.tensors[index]
    signature = _given(tensor.shapeSignature)
    return tuple(int(size) for size in (signature if len(signature) else _given(tensor.shape)))


def type_of(graph: TfliteGraph, index: int) -> str:
    """Type of a tensor, by its name in the schema."""
    return _type_name(graph, graph.t.tensors[index])


def _type_name(graph: TfliteGraph, tensor: Any) -> str:
    names = {v: k for k, v in vars(graph.file.schema.TensorType).items() if isinstance(v, int)}
    return names.get(tensor.type, str(tensor.type))


def _numbers(values: NDArray[Any], quantization: Any) -> NDArray[np.float32]:
    """`(integer - zero) * scale`, with scales for each index of one axis or one for all."""
    scales = np.asarray(quantization.scale, np.float32)
    zeros = np.asarray(_given(quantization.zeroPoint), np.float32)
    zeros = zeros if len(zeros) else np.zeros(len(scales), np.float32)
    shape = [1] * values.ndim
    if len(scales) > 1:
        shape[quantization.quantizedDimension] = len(scales)
    return (values.astype(np.float32) - zeros.reshape(shape)) * scales.reshape(shape)


def _given(values: Sequence[Any] | None) -> Sequence[Any]:
    return () if values is None else values
