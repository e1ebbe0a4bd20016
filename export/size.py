"""Bytes of a network's TFLite files, without converting it.

A `.tflite` file is a flatbuffer, so its size is a sum over tensors and operators: tables, vectors,
strings and constants, each of a known length. `lower` repeats what the converter does to a network
(batch normalisation folded into the convolution before it, ReLU fused into the operator before it,
swish as LOGISTIC and MUL, dropout gone); `predict_bytes` adds up what `kerasnas.export.pack` writes
of them, where equal vectors and tables are written once. What is left is padding, of which only the
mean is known, and scales and constants that happen to be equal.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

from kerasnas.export.errors import ExportError
from kerasnas.export.forms import Form
from kerasnas.export.loop_size import loops_bytes
from kerasnas.export.ops import Op

CONVERTER = "tensorflow 2.21"
"""The converter whose files these figures were read from."""


# TFLite operators of an activation, by the name Keras gives the function.
_ACTIVATIONS = {
    "elu": ("ELU",),
    "linear": (),
    "relu": ("RELU",),
    "relu6": ("RELU6",),
    "sigmoid": ("LOGISTIC",),
    "silu": ("LOGISTIC", "MUL"),
    "softmax": ("SOFTMAX",),
    "swish": ("LOGISTIC", "MUL"),
    "tanh": ("TANH",),
}
_FOLDING = {
    "conv2d": "CONV_2D",
    "depthwise_conv2d": "DEPTHWISE_CONV_2D",
    "dense": "FULLY_CONNECTED",
}
_SIMPLE = {
    "add": "ADD",
    "average_pool2d": "AVERAGE_POOL_2D",
    "concatenate": "CONCATENATION",
    "divide": "DIV",
    "max_pool2d": "MAX_POOL_2D",
    "multiply": "MUL",
}
_WEIGHTED = frozenset(_FOLDING.values())
_FUSED_ACTIVATIONS = frozenset({"relu", "relu6"})
_FUSING = _WEIGHTED.union(_SIMPLE.values()) - {"CONCATENATION"}
_OVER_FRAMES = {"mean_over_frames": "MEAN", "sum_over_frames": "SUM"}
_RECURRENT = frozenset({"gru", "lstm"})


class Constant(NamedTuple):
    """A constant of a lowered operator: its scalars, rank and channels with a scale of their own.

    Indices (`role` "index") are int32 in every form. A `bias` is int32 in integer form.
    """

    role: Literal["weight", "bias", "index"]
    size: int
    rank: int
    channels: int = 1


class Node(NamedTuple):
    """One TFLite operator: its computed inputs, the rank of its output, its constants."""

    operator: str
    inputs: int
    rank: int
    constants: tuple[Constant, ...] = ()


def lower(ops: tuple[Op, ...], form: Form = "float32") -> list[Node]:
    """The operators that the export makes of a network, without its recurrent layers.

    Raises:
        ExportError: The kind of an operation, or its activation function, is not known here.
    """
    consumers = Counter(name for op in ops for name in op.inputs)
    nodes: list[Node] = []
    # Of each output: the node that computes it, and whether that node may take in what follows.
    source: dict[str, tuple[int, bool]] = {}
    wide: set[str] = set()  # what `kerasnas.export.wide` computes in int16
    for op in ops:
        index, open_ = source[op.inputs[0]] if op.inputs else (-1, False)
        open_ = open_ and consumers[op.inputs[0]] == 1
        rank = len(op.output_shape) + 1
        node = nodes[index] if open_ else None
        if op.kind in ("input", "dropout"):
            source[op.name] = (index, open_)
            continue
        if op.kind == "batch_norm" and node and node.operator in _WEIGHTED:
            kernel = node.constants[0]
            nodes[index] = node._replace(constants=(kernel, _bias(kernel, op.output_shape[-1])))
            source[op.name] = (index, True)
            continue
        if op.kind in _RECURRENT:
            source[op.name] = (len(nodes) - 1, False)
            continue
        if form == "full_int8" and _is_wide(op, wide):
            nodes += [Node("QUANTIZE", 1, rank)] * len(set(op.inputs) - wide)
            nodes += _wide_nodes(op, rank)
            source[op.name] = (len(nodes) - 1, False)
            wide.add(op.name)
            continue
        if op.kind == "activation":
            function = op.attributes["function"]
            if function not in _ACTIVATIONS:
                raise ExportError(
                    f"the size of a file with the activation {function!r} ({op.name}) cannot be "
                    f"predicted: the known ones are {', '.join(_ACTIVATIONS)}"
                )
            if function in _FUSED_ACTIVATIONS and node and node.operator in _FUSING:
                source[op.name] = (index, False)
                continue
            operators = _ACTIVATIONS[function]
            nodes += [Node(name, 2 if name == "MUL" else 1, rank) for name in operators]
            source[op.name] = (len(nodes) - 1, False) if operators else (index, open_)
            continue
        nodes += _nodes(op, rank)
        source[op.name] = (len(nodes) - 1, True)
    return nodes


def _nodes(op: Op, rank: int) -> tuple[Node, ...]:
    channels = op.output_shape[-1]
    if op.kind in _FOLDING:
        dense = op.kind == "dense"  # one scale for all of its channels
        kernel = Constant("weight", op.weights[0].size, 2 if dense else 4, 1 if dense else channels)
        constants = (kernel, _bias(kernel, channels)) if len(op.weights) > 1 else (kernel,)
        return (Node(_FOLDING[op.kind], 1, rank, constants),)
    if op.kind in ("add", "multiply"):
        return (Node(_SIMPLE[op.kind], 2, rank),) * (len(op.inputs) - 1)
    if op.kind in _SIMPLE:
        return (Node(_SIMPLE[op.kind], len(op.inputs), rank),)
    if op.kind in _OVER_FRAMES:
        return (Node(_OVER_FRAMES[op.kind], 1, rank, (_index(1),)),)
    if op.kind == "softmax_over_frames":
        swap = Node("TRANSPOSE", 1, rank, (_index(rank),))
        return (swap, Node("SOFTMAX", 1, rank), swap)
    if op.kind == "global_average_pool":
        return (Node("MEAN", 1, rank, (_index(2),)),)
    if op.kind == "normalization":
        size = op.weights[0].size if op.weights else op.attributes["statistics"]
        statistics = Constant("weight", size, rank)
        return (Node("SUB", 1, rank, (statistics,)), Node("MUL", 1, rank, (statistics,)))
    if op.kind == "batch_norm":  # nothing before it to fold it into
        scale = Constant("weight", channels, 1)
        return (Node("MUL", 1, rank, (scale,)), Node("ADD", 1, rank, (scale,)))
    if op.kind in ("flatten", "reshape"):
        return (Node("RESHAPE", 1, rank, (_index(rank),)),)
    if op.kind == "permute":
        return (Node("TRANSPOSE", 1, rank, (_index(rank),)),)
    if op.kind == "get_item":
        return (Node("STRIDED_SLICE", 1, rank, (_index(rank),) * 3),)
    raise ExportError(
        f"the size of a file with the operation {op.kind!r} ({op.name}) cannot be predicted: it "
        "has to be converted to be measured"
    )


def _is_wide(op: Op, wide: set[str]) -> bool:
    """Whether `kerasnas.export.wide.wide_operation` takes it out of the converter's hands."""
    if op.kind == "activation":
        return op.attributes["function"] == "softmax" and len(op.output_shape) == 2
    if op.kind in ("divide", "softmax_over_frames"):
        return True
    return op.kind in ("multiply", *_OVER_FRAMES) and not wide.isdisjoint(op.inputs)


def _wide_nodes(op: Op, rank: int) -> tuple[Node, ...]:
    if op.kind == "activation":
        return (Node("SOFTMAX", 1, rank),)
    if op.kind == "sum_over_frames":
        factor = Constant("weight", 2, 1)
        return (Node("MEAN", 1, rank, (_index(1),)), Node("MUL", 1, rank, (factor,)))
    if op.kind == "divide":
        casts = (Node("CAST", 1, rank),) * 4
        single = ("MUL", "EQUAL", "MINIMUM", "MAXIMUM")
        return (
            *casts,
            *(Node(name, 1, rank, (_index(1),)) for name in single),
            Node("ADD", 2, rank),
            Node("DIV", 2, rank),
        )
    return _nodes(op, rank)


def _index(size: int) -> Constant:
    return Constant("index", size, 1)


def _bias(kernel: Constant, channels: int) -> Constant:
    return Constant("bias", channels, 1, kernel.channels)


# Lengths in bytes of what `kerasnas.export.pack` writes. Lists hold 4 bytes for each entry.
# All that is there once: root, lists, runtime version, layouts of tables.
_FILE = {"float32": 444, "float16": 604, "full_int8": 800}
_OPERATOR_CODE = 20
_BUFFER = 12  # table and list, beside its data
_TENSOR = 20  # a constant or an integer: shape, type, buffer or scales, list
_LIST = 4
_SCALES = 12  # table of scales and zero points
_FLOATS = 8  # table of a float32 tensor, one for all of the same shape
_OPERATOR = 24  # without its lists of inputs and outputs
_OPTIONS = 16  # equal ones are shared, so one for each operator code
_ENDS = 40  # names of the input and the output
# Whose integer output has the scales of its input, or ones that are always the same.
_SAME_SCALES = frozenset(
    {"AVERAGE_POOL_2D", "LOGISTIC", "MAX_POOL_2D", "RESHAPE", "SOFTMAX", "STRIDED_SLICE", "TANH"}
    | {"TRANSPOSE", "DIV", "CAST", "EQUAL", "MINIMUM", "MAXIMUM"}
)
_SAME_ZERO = frozenset({"MUL", "QUANTIZE"})  # there are few that occur


def predict_bytes(ops: tuple[Op, ...], form: Form) -> int:
    """Bytes of the `.tflite` file that `kerasnas.export` writes of a network.

    Recurrent layers are loops: the converter's in float, those of integers in `full_int8`.

    Args:
        ops: The network, in order of computation, from `Architecture.ops` or `from_keras`.
        form: `float32`, `float16` (constants in float16, computed in float32) or `full_int8`
            (integers inside, float32 at both ends).

    Raises:
        ExportError: The form, or an operation, is not known here.
    """
    if form not in _FILE:
        raise ExportError(f"unknown form {form!r}: use {', '.join(_FILE)}")
    nodes = lower(ops, form)
    constants = [constant for node in nodes for constant in node.constants]
    shapes = {(1, *op.output_shape) for op in ops}
    operators = {node.operator for node in nodes}
    total = _FILE[form] + _ENDS + _LIST + sum([_vector(4, len(shape)) for shape in shapes])
    total += sum([_vector(4, rank) for rank, _ in {(c.rank, c.size) for c in constants}])
    if form == "full_int8":
        operators |= {"QUANTIZE", "DEQUANTIZE"}
        total += 2 * (_OPERATOR + _vector(4, 1) + _vector(4, 1) + _TENSOR) + _scales(1)
        total += sum([_zeros(channels) for channels in {c.channels for c in constants}])
    else:
        total += _FLOATS * len(shapes)
    if form == "float16":
        operators.add("DEQUANTIZE")
        total += _FLOATS * len({(c.rank, c.size) for c in constants if c.role != "index"})
    total += (_OPERATOR_CODE + _OPTIONS) * len(operators)
    total += loops_bytes([op for op in ops if op.kind in _RECURRENT], form)
    return total + sum([_node_bytes(node, form) for node in nodes])


def _node_bytes(node: Node, form: Form) -> int:
    # A missing bias is an input too, -1.
    inputs = node.inputs + (2 if node.operator in _WEIGHTED else len(node.constants))
    total = _OPERATOR + _vector(4, inputs) + _vector(4, 1)
    if form != "full_int8":
        total += _LIST
    else:
        total += _TENSOR - 4
        if node.operator not in _SAME_SCALES:
            total += _scales(1) + (0 if node.operator in _SAME_ZERO else _zeros(1))
    for constant in node.constants:
        total += _TENSOR + _BUFFER
        if constant.role == "index":
            total += _data(4 * constant.size)
        elif form == "full_int8":
            width = 4 if constant.role == "bias" else 1
            total += 4 + _scales(constant.channels) + _data(width * constant.size)
        elif form == "float16":
            total += _data(2 * constant.size) + _LIST
            total += _OPERATOR - 8 + 2 * _vector(4, 1)
        else:
            total += _data(4 * constant.size)
    return total


def _vector(width: int, count: int) -> int:
    """A vector of numbers: its length, and they."""
    return 4 + width * count


def _scales(channels: int) -> int:
    """A table of scales, one a channel, without the zero points, which are shared."""
    return _SCALES + _vector(4, channels)


def _zeros(channels: int) -> int:
    """Zero points, int64, aligned to 8."""
    return _vector(8, channels) + 2


def _data(size: int) -> int:
    """The data of a buffer, aligned to 16."""
    return -(-(size + 4) // 16) * 16
