"""Bytes of the arena that a network's integer file needs in TensorFlow Lite Micro, predicted.

The arena has two ends: inner tensors, which share memory where they do not live at the same time,
planned as TensorFlow Lite Micro plans them (`kerasnas.export.flatbuffer.arena`, aligned to 16
bytes), and what lasts from start to end: a table for each tensor and operator, and what kernels
prepare, such as a factor for every channel. The file's ends are float32, four times the integers.
The planning itself, before the first run, takes the place of the tensors, and more in small
networks of many tensors.

Lengths are those of a computer of 64 bits (tflite-micro 0.dev20261023182759), as `micro.runtime`
measures them; a microcontroller of 32 bits has shorter tables. Kernels for its processor may want
scratch memory beside it, which the reference kernels do not.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from math import prod

from ..flatbuffer.arena import Lifetime, plan
from .nodes import lower
from .operators import WEIGHTED
from .ops import RECURRENT, Op

_ALIGNMENT = 16
# What the next operation computes in place of its own, where nothing else reads it.
_TAKING = frozenset({"add", "average_pool2d", "max_pool2d", "multiply", "subtract"})
_FOLDED = frozenset({"conv2d", "dense", "depthwise_conv2d"})
_WIDE = {"divide": 4, "softmax_over_frames": 2, "sum_over_frames": 2}  # bytes of a number
_GATES = {"gru": 3, "lstm": 4}
# Lengths in bytes of what lasts.
_BASE = 650
_TENSOR = 24
_OPERATOR = 112
_WEIGHTED = 48  # of an operator with weights, beyond that
_CHANNEL = 8
_PLANNING = 64  # of a tensor, while tensors are planned
# A loop has three copies of what it reads, four of the frames that it writes, and small tensors.
_COPIES_READ, _COPIES_WRITTEN = 3, 3
_LOOP_UNIT, _LOOP_SMALL = 24, 170
_LOOP_OPERATORS = {"gru": (21, 25), "lstm": (20, 24)}  # for the last frame alone, and for all
_LOOP_TENSORS = {"gru": (47, 58), "lstm": (43, 54)}
_LOOP_WEIGHTED = 2


def predict_arena(ops: tuple[Op, ...]) -> int:
    """Return the bytes of the arena of a network's `full_int8` file.

    Args:
        ops: The network, in order of computation.

    Raises:
        ExportError: An operation is not known here.
    """
    lasting, tensors = _lasting(ops)
    return lasting + max(plan(_Tensors(ops).lifetimes(), _ALIGNMENT), _PLANNING * tensors)


class _Tensors:
    """Lives of a network's tensors, operation by operation."""

    def __init__(self, ops: tuple[Op, ...]) -> None:
        self._lives: list[list[int]] = []  # bytes, first and last step
        self._step = 0
        self._readers = Counter(chain.from_iterable(op.inputs for op in ops))
        self._kinds = {op.name: op.kind for op in ops}
        self._frames = {op.name: op.output_shape[0] for op in ops}
        self._places: dict[str, int] = {}
        for op in ops:
            self._places[op.name] = self._add(op)
        self._new(4 * prod(ops[-1].output_shape), self._places[ops[-1].name])
        self._lives[-1][2] = self._step

    def lifetimes(self) -> list[Lifetime]:
        """Return them."""
        return [Lifetime(*life) for life in self._lives]

    def _new(self, size: int, *reads: int) -> int:
        """Return a tensor that one more step computes of others."""
        for place in reads:
            self._lives[place][2] = self._step
        self._lives.append([size, self._step, self._step])
        self._step += 1
        return len(self._lives) - 1

    def _add(self, op: Op) -> int:
        """Return the tensor of an operation's output."""
        size = prod(op.output_shape) * _WIDE.get(op.kind, 1)
        reads = [self._places[name] for name in op.inputs]
        if op.kind == "input":
            self._lives.append([4 * size, 0, 0])
            return self._new(size, len(self._lives) - 1)
        if op.kind == "dropout" or self._is_in_place(op):
            return reads[0]
        if op.kind in RECURRENT:
            return self._loops(op, reads[0])
        if op.kind in ("normalization", "batch_norm"):
            return self._new(size, self._new(size, *reads))
        if op.attributes.get("function") in ("silu", "swish"):
            return self._new(size, *reads, self._new(size, *reads))
        return self._new(size, *reads)

    def _is_in_place(self, op: Op) -> bool:
        """Return whether an operation is a part of the one before it."""
        before = self._kinds[op.inputs[0]]
        if self._readers[op.inputs[0]] != 1:
            return False
        if op.kind == "batch_norm":
            return before in _FOLDED
        if op.kind != "activation":
            return False
        function = op.attributes["function"]
        folded = before in _FOLDED | _TAKING | {"batch_norm"}
        return function == "linear" or (function in ("relu", "relu6") and folded)

    def _loops(self, op: Op, x: int) -> int:
        """Return the output of a loop for each direction, which copies what goes through it."""
        both, sequences = op.attributes["bidirectional"], op.attributes["return_sequences"]
        units = op.attributes["units"]
        frames = self._frames[op.inputs[0]]
        product, written = frames * _GATES[op.kind] * units, frames * units if sequences else units
        results = []
        for _ in (0, 1)[: 2 if both else 1]:
            start = self._new(product, x)
            own = [self._new(product) for _ in range(_COPIES_READ - 1)]
            own += [self._new(written) for _ in range(_COPIES_WRITTEN if sequences else 0)]
            own.append(self._new(_LOOP_UNIT * units + _LOOP_SMALL))
            results.append(self._new(written, start, *own))
        return self._new(prod(op.output_shape), *results) if both else results[0]


def _lasting(ops: tuple[Op, ...]) -> tuple[int, int]:
    """Return the bytes of tables, and of what kernels prepare, and the number of tensors."""
    nodes = lower(ops, "full_int8")
    constants = [constant for node in nodes for constant in node.constants]
    tensors = len(nodes) + len(constants) + 3
    operators = len(nodes) + 2
    kernels = [node.constants[0] for node in nodes if node.operator in WEIGHTED]
    weighted = len(kernels)
    channels = sum(kernel.channels for kernel in kernels)
    for op in ops:
        if op.kind in RECURRENT:
            directions = 2 if op.attributes["bidirectional"] else 1
            sequences = bool(op.attributes["return_sequences"])
            tensors += directions * _LOOP_TENSORS[op.kind][sequences]
            operators += directions * _LOOP_OPERATORS[op.kind][sequences]
            weighted += directions * _LOOP_WEIGHTED
    tables = _TENSOR * tensors + _OPERATOR * operators + _WEIGHTED * weighted
    return _BASE + tables + _CHANNEL * channels, tensors
