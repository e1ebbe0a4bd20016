"""The memory that a file's inner tensors need, planned from when each is written and last read.

The runtime does not tell its arena's size in Python. This is the plan of TensorFlow Lite's
ArenaPlanner: Pisarchyk & Lee, "Efficient memory management for deep neural net inference", 2020,
section 5.2, greedy by size: the largest tensor first, each into the smallest gap among those that
live at the same time. XNNPACK keeps the inner tensors of its parts in a memory of its own, of about
the same size, and packs weights into more: so it is an estimate.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from .graph import TfliteFile, TfliteGraph

_ALIGNMENT = 64


class Lifetime(NamedTuple):
    """One tensor: its bytes, and the first and the last operator, by number, that need it."""

    size: int
    first: int
    last: int


def arena_bytes(content: bytes) -> int:
    """Return the bytes of the arenas of a file's graphs; each loop's graphs have their own.

    Args:
        content: A `.tflite` file of known shapes.
    """
    return sum(plan(lifetimes(graph)) for graph in TfliteFile(content).graphs)


def plan(tensors: list[Lifetime], alignment: int = _ALIGNMENT) -> int:
    """Return the bytes of an arena that holds tensors, greedy by size."""
    placed: list[tuple[int, int, Lifetime]] = []  # begin, end, whose
    for tensor in sorted(tensors, key=lambda t: (-t.size, t.first)):
        size = -(-tensor.size // alignment) * alignment
        begin, best = 0, None
        for low, high, other in sorted(placed, key=lambda entry: entry[:2]):
            if other.first > tensor.last or other.last < tensor.first:
                continue
            if low - begin >= size and (best is None or low - begin < best[0]):
                best = low - begin, begin
            begin = max(begin, high)
        place = begin if best is None else best[1]
        placed.append((place, place + size, tensor))
    return max((high for _, high, _ in placed), default=0)


def lifetimes(graph: TfliteGraph) -> list[Lifetime]:
    """Return the lifetimes of a graph's tensors that are not constant.

    Its inputs, its outputs and the states that it keeps live throughout.
    A constant that is stored in float16 and read as float32 counts as constant.
    """
    operators = graph.t.operators
    last = len(operators)
    ends = {int(index) for index in (*graph.t.inputs, *graph.t.outputs)}
    ends |= {index for index, tensor in enumerate(graph.t.tensors) if tensor.isVariable}
    spans = {index: [0, last] for index in ends}
    constant = _constants(graph)
    for number, operator in enumerate(operators):
        for index in {int(i) for i in (*operator.inputs, *operator.outputs)}:
            if index < 0 or index in ends or index in constant:
                continue
            spans.setdefault(index, [number, number])[1] = number
    return [Lifetime(_bytes(graph, index), *span) for index, span in sorted(spans.items())]


def _constants(graph: TfliteGraph) -> set[int]:
    buffers = graph.file.model.buffers
    held = {i for i, t in enumerate(graph.t.tensors) if buffers[t.buffer].data is not None}
    for operator in graph.t.operators:
        if graph.name_of(operator) == "DEQUANTIZE" and int(operator.inputs[0]) in held:
            held.add(int(operator.outputs[0]))
    return held


def _bytes(graph: TfliteGraph, index: int) -> int:
    tensor: Any = graph.existing(index)
    return prod(tensor.shape) * np.dtype(tensor.kind).itemsize
