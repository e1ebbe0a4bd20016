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
from math import ceil
from typing import Any, NamedTuple

from ..errors import ExportError, counted
from ..forms import INTEGERS, Form, Recurrent
from .loop_size import loops_bytes
from .nodes import lower
from .operators import WEIGHTED, Constant, LoweredOperator
from .ops import Op
from .steps import one_frame, states_bytes

CONVERTER = "tensorflow 2.21"
"""The converter whose files these figures were read from.

`benchmarks/files/size_prediction.py --constants` measures them again.
"""

# Lengths in bytes of what `flatbuffer.pack` writes; lists hold 4 bytes for each entry.
# Once in every file: root, model, graph, metadata, names and layouts of tables.
_FILE = {
    "float32": 448,
    "float16": 472,
    "int8_weights": 490,
    "full_int8": 504,
    "int4": 504,
    "int16": 504,
}
_LIST = 4
_CODE = 20  # of an operator, in the list of all that occur
_OPERATOR = 20  # its table and list entry, without options
_OPTIONS = 8  # kind of options and pointer to them, in an operator's table
_PLAIN = frozenset(
    {"DEQUANTIZE", "ELU", "LOGISTIC", "QUANTIZE", "RSQRT", "TANH"}
)  # without options
# Tables of options and their layouts; those without an entry are empty, and all are one.
_OPTION_TABLES = {
    "AVERAGE_POOL_2D": 38,
    "CONV_2D": 14,
    "DEPTHWISE_CONV_2D": 28,
    "MAX_POOL_2D": 38,
    "PACK": 24,
    "RESHAPE": 24,
    "SOFTMAX": 14,
    "SPLIT": 14,
    "UNPACK": 24,
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
    {"AVERAGE_POOL_2D", "GATHER", "MAX_POOL_2D", "PACK", "PAD", "RESHAPE", "SPLIT"}
    | {"STRIDED_SLICE", "TRANSPOSE", "UNPACK"}
)
# Whose integer output has scales that are always the same, by their step, or none.
_FIXED_SCALES = {"LOGISTIC": 256, "SOFTMAX": 256, "TANH": 128}
_INDICES = frozenset({"CAST", "DIV", "EQUAL", "LESS", "MAXIMUM", "MINIMUM", "SELECT"})
KERNELS = WEIGHTED | {"TRANSPOSE_CONV"}
_HYBRID = 1024  # scalars of a kernel, from which on the converter multiplies integers
NARROWED, LEAST_NARROWED = ("CONV_2D", "FULLY_CONNECTED"), 256  # as `integer.fours` has it
_ZERO_POINTS = 72  # from about so many values come those of outputs


def predict_bytes(ops: tuple[Op, ...], form: Form, recurrent: Recurrent | None = None) -> int:
    """Return the bytes of the `.tflite` file that `kerasnas.export` writes of a network.

    Args:
        ops: The network, in order of computation, from `Architecture.ops` or `from_keras`.
        form: See `kerasnas.export.convert.program`; all but `mixed`, whose operators in float are
            not known before.
        recurrent: How recurrent layers compute, as there; by default in loops: those of integers
            in `full_int8` and `int4`, and else the converter's.

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
    total = _FILE[form]
    if recurrent in (None, "int8_loop", "while"):
        total += loops_bytes(ops, form)
    elif recurrent == "step":
        ops = one_frame(ops)
        total += states_bytes(ops, form in INTEGERS)
    elif recurrent != "unroll":
        raise ExportError(f"the bytes of files with {recurrent} cannot be predicted")
    nodes = lower(ops, form, recurrent)
    integer = form in INTEGERS
    # What is written once, by what it is.
    once: dict[Any, int] = {}
    given = (1, *ops[0].output_shape)
    shapes = {given}
    once["float", given] = _FLOATS
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
    elif form != "float32":
        operators.add("DEQUANTIZE")
    for name in operators:
        total += _CODE + _OPTION_TABLES.get(name, 0)
    for node in nodes:
        total += _node_bytes(node) + _LIST * node.outputs
        if not integer:
            once["float", node.shape] = _FLOATS
        elif node.operator in _FIXED_SCALES and not node.wide:
            scales = 1 if form == "int16" else _FIXED_SCALES[node.operator]
            once["scales", scales] = _SCALES + _vector(1) + _zero_points(1)
            once["integers", scales, node.shape] = _INTEGERS
        elif node.operator in _INDICES:
            once["integers", 0, node.shape] = _INTEGERS - _TYPE
        elif node.joined and node.operator not in _SAME_SCALES:
            zeros += ("scales", node.joined) not in once and not node.wide
            once["scales", node.joined] = _SCALES + _vector(1)
            once["integers", node.joined, node.shape] = _INTEGERS
        elif not node.like_input or form == "int16":  # whose converter does not join scales
            total += _INTEGERS
            if node.operator not in _SAME_SCALES:
                total += _SCALES + _vector(1)
                zeros += not (node.wide or node.usual_zero)
        shapes.add(node.shape)
        for constant in node.constants:
            shapes.add(constant.shape)
            if integer and constant.role != "index":
                once["zeros", constant.channels] = _zero_points(constant.channels)
            stored = _stored(constant, node.operator, form)
            size = _constant_bytes(stored)
            if constant.values or constant.shared:
                once[constant.role, constant.values, constant.shared] = size
            else:
                total += size
            if stored.floats:
                once["float", constant.shape] = _FLOATS
            if form == "int8_weights" and stored.width == 1:
                once["zeros", stored.channels] = _zero_points(stored.channels)
    if form != "int16":
        total += _zero_points(1) * round(_different(zeros, _ZERO_POINTS))
    total += sum([_vector(len(shape)) for shape in shapes])
    return total + sum(once.values())


class _Stored(NamedTuple):
    """How a constant is stored.

    Attributes:
        size: Number of scalars.
        width: Bytes of one; a half for those of 4 bits.
        typed: Whether its type is another than float32, which is not written.
        channels: With a scale of their own; 0 where there are no scales.
        last: Whether the channels are the last axis, and not the first.
        floats: Whether an operator makes float32 of it.
    """

    size: int
    width: float
    typed: bool = True
    channels: int = 0
    last: bool = False
    floats: bool = False


@lru_cache(4096)
def _stored(constant: Constant, operator: str, form: Form) -> _Stored:
    """Return how a constant of an operator is stored in a form."""
    size, last = constant.size, constant.channels > 1 and constant.shape[0] == 1
    if constant.role == "index":
        return _Stored(size, 4)
    if form == "float16":
        return _Stored(size, 2, floats=True)
    if form == "int8_weights" and operator in KERNELS and constant.role == "weight":
        if len(constant.shape) < 2:
            return _Stored(size, 4, False)
        if size >= _HYBRID:  # products of integers, by the converter
            return _Stored(size, 1, True, constant.channels, last)
        return _Stored(size, 1, True, 1, floats=True)
    if form not in INTEGERS:
        return _Stored(size, 4, False)
    width: float = 1
    if constant.role == "bias":
        width = 8 if form == "int16" else 4
    elif form == "int4" and operator in NARROWED and size >= LEAST_NARROWED:
        width = 0.5
    return _Stored(size, width, True, constant.channels, last)


def _node_bytes(node: LoweredOperator) -> int:
    """Return an operator with its lists of inputs and outputs."""
    # A missing bias is an input too, -1.
    inputs = node.inputs + (2 if node.operator in WEIGHTED else len(node.constants))
    total = _OPERATOR + (0 if node.operator in _PLAIN else _OPTIONS) + _vector(1)
    # A list of one input alone is the one before it in the role of outputs.
    total += _vector(node.outputs) if node.outputs > 1 else 0
    return total + (_vector(inputs) if inputs > 1 else 0)


def _constant_bytes(stored: _Stored) -> int:
    """Return a constant's bytes: tensor, data, and what makes it float32."""
    total = _FLOATS + _BUFFER + 2 * _LIST + (_TYPE if stored.typed else 0)
    if stored.floats:
        # The code of float16's is the file's first, 0, which is not written.
        total += _LIST + _OPERATOR - (4 if stored.width == 2 else 0) + 2 * _vector(1)
    if stored.channels:
        total += 4 + _SCALES + _vector(stored.channels) + (_AXIS if stored.last else 0)
    return total + _data(ceil(stored.width * stored.size))


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
