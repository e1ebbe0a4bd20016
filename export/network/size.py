"""Bytes of a network's TFLite files, without converting it.

A `.tflite` file is a flatbuffer, so its size is a sum over tensors and operators: tables, vectors,
strings and constants, each of a known length. `predict_bytes` adds up what `flatbuffer.pack`
writes of the operators of `network.nodes`, where equal vectors and tables are written
once. Not known before a conversion are zero points, of which small files write fewer than there
are tensors, since some are equal; how many is estimated. Nor are scales and constants that happen
to be equal, and some of the padding, of which the mean is known.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import ExportError, counted
from ..forms import Form
from .loop_size import loops_bytes
from .nodes import lower
from .operators import WEIGHTED, Constant, LoweredOperator
from .ops import Op

CONVERTER = "tensorflow 2.21"
"""The converter whose files these figures were read from.

`benchmarks/files/size_prediction.py --constants` measures them again.
"""

# Lengths in bytes of what `flatbuffer.pack` writes; lists hold 4 bytes for each entry.
# Once in every file: root, model, graph, metadata, names and layouts of tables.
_FILE = {"float32": 448, "float16": 472, "full_int8": 504}
_LIST = 4
_CODE = 20  # of an operator, in the list of all that occur
_OPERATOR = 20  # its table and list entry, without options
_OPTIONS = 8  # kind of options and pointer to them, in an operator's table
_PLAIN = frozenset({"DEQUANTIZE", "ELU", "LOGISTIC", "QUANTIZE", "TANH"})  # without options
# Tables of options and their layouts; those without an entry are empty, and all are one.
_OPTION_TABLES = {
    "AVERAGE_POOL_2D": 38,
    "CONV_2D": 14,
    "DEPTHWISE_CONV_2D": 28,
    "MAX_POOL_2D": 38,
    "RESHAPE": 24,
    "SOFTMAX": 14,
}
# Tables of tensors: layout, shape and whether it has one (12), buffer, type, scales (4 each).
_FLOATS = 12
_INTEGERS = 20
_BUFFER = 4
_TYPE = 4
_SCALES = 12  # table of scales and zero points
_AXIS = 4  # of channels, in that table, where it is not the first
_PADDING = 2  # of a vector of zero points, aligned to 8: none or 4

# Whose integer output has the scales of its input.
_SAME_SCALES = frozenset(
    {"AVERAGE_POOL_2D", "GATHER", "MAX_POOL_2D", "PAD", "RESHAPE", "STRIDED_SLICE", "TRANSPOSE"}
)
# Whose integer output has scales that are always the same, by their step, or none.
_FIXED_SCALES = {"LOGISTIC": 256, "SOFTMAX": 256, "TANH": 128}
_INDICES = frozenset({"CAST", "DIV", "EQUAL", "LESS", "MAXIMUM", "MINIMUM", "SELECT"})
_ZERO_POINTS = 72  # from about so many values come those of outputs


def predict_bytes(ops: tuple[Op, ...], form: Form) -> int:
    """Return the bytes of the `.tflite` file that `kerasnas.export` writes of a network.

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
    inputs = sum(op.kind == "input" for op in ops)
    if inputs != 1:
        raise ExportError(
            f"the size of a file with {counted(inputs, 'input')} cannot be predicted: networks of "
            "one input can be exported"
        )
    nodes = lower(ops, form)
    integer = form == "full_int8"
    # What is written once, by what it is.
    once: dict[Any, int] = {}
    given = (1, *ops[0].output_shape)
    shapes = {given}
    once["float", given] = _FLOATS
    total = _FILE[form] + loops_bytes(ops, form)
    zeros = 0
    operators = {node.operator for node in nodes}
    if integer:
        operators |= {"QUANTIZE", "DEQUANTIZE"}
        ends = 2
        if any(op.kind == "embedding" for op in ops):  # indices are no numbers with a scale
            operators.discard("QUANTIZE")
            ends = 1
        total += ends * (_OPERATOR + _vector(1)) + _INTEGERS + _SCALES + _vector(1) + 2 * _LIST
        zeros += 1
    elif form == "float16":
        operators.add("DEQUANTIZE")
    for name in operators:
        total += _CODE + _OPTION_TABLES.get(name, 0)
    for node in nodes:
        total += _node_bytes(node) + _LIST
        if not integer:
            once["float", node.shape] = _FLOATS
        elif node.operator in _FIXED_SCALES and not node.wide:
            scales = _FIXED_SCALES[node.operator]
            once["scales", scales] = _SCALES + _vector(1) + _zero_points(1)
            once["integers", scales, node.shape] = _INTEGERS
        elif node.operator in _INDICES:
            once["integers", 0, node.shape] = _INTEGERS - _TYPE
        elif node.joined and node.operator not in _SAME_SCALES:
            zeros += ("scales", node.joined) not in once and not node.wide
            once["scales", node.joined] = _SCALES + _vector(1)
            once["integers", node.joined, node.shape] = _INTEGERS
        elif not node.like_input:
            total += _INTEGERS
            if node.operator not in _SAME_SCALES:
                total += _SCALES + _vector(1)
                zeros += not node.wide
        shapes.add(node.shape)
        for constant in node.constants:
            shapes.add(constant.shape)
            if integer and constant.role != "index":
                once["zeros", constant.channels] = _zero_points(constant.channels)
            size = _constant_bytes(constant, form)
            if constant.values:
                once[constant.role, constant.values] = size
            else:
                total += size
            if form == "float16" and constant.role != "index":
                once["float", constant.shape] = _FLOATS
    total += _zero_points(1) * round(_different(zeros, _ZERO_POINTS))
    total += sum([_vector(len(shape)) for shape in shapes])
    return total + sum(once.values())


def _node_bytes(node: LoweredOperator) -> int:
    """Return an operator with its lists of inputs and outputs."""
    # A missing bias is an input too, -1.
    inputs = node.inputs + (2 if node.operator in WEIGHTED else len(node.constants))
    total = _OPERATOR + (0 if node.operator in _PLAIN else _OPTIONS) + _vector(1)
    # A list of one input alone is the one before it in the role of outputs.
    return total + (_vector(inputs) if inputs > 1 else 0)


@lru_cache(4096)
def _constant_bytes(constant: Constant, form: Form) -> int:
    """Return a constant's bytes: tensor, data, and in float16 what makes it float32."""
    total = _FLOATS + _BUFFER + 2 * _LIST
    if constant.role == "index":
        return total + _TYPE + _data(4 * constant.size)
    if form == "float32":
        return total + _data(4 * constant.size)
    total += _TYPE
    if form == "float16":
        # Its code is the file's first, 0, which is not written.
        total += _LIST + _OPERATOR - 4 + 2 * _vector(1)
        return total + _data(2 * constant.size)
    channels = constant.channels
    total += 4 + _SCALES + _vector(channels)
    if channels > 1 and constant.shape[0] == 1:
        total += _AXIS
    return total + _data((4 if constant.role == "bias" else 1) * constant.size)


def _vector(count: int) -> int:
    """Numbers of 4 bytes: how many, and they."""
    return 4 + 4 * count


def _zero_points(channels: int) -> int:
    """int64, one a channel."""
    return 4 + 8 * channels + _PADDING


def _data(size: int) -> int:
    """Return a buffer: its table (8), the number of its bytes, and they, aligned to 16."""
    return -(-(size + 12) // 16) * 16


def _different(count: int, values: int) -> float:
    """Return how many of so many numbers differ, drawn from so many values."""
    return values * (1 - (1 - 1 / values) ** count)
