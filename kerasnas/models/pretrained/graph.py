"""The graph of a `.tflite` file as blocks one after the other, branches inside one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from kerasnas.blocks.trunk import Branches, Convolution, Depthwise, Separable
from kerasnas.errors import KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.export.flatbuffer.graph import TfliteFile
from kerasnas.export.flatbuffer.reading import is_constant, shape_of
from kerasnas.export.network.ops import Shape
from kerasnas.models.pretrained.operators import (
    ARITHMETIC,
    HOPELESS,
    SAME,
    SHAPING,
    read_operator,
    why_not,
)
from kerasnas.models.pretrained.way import Part, Refused, Way, Weights, flush, fused

_JOINS: dict[str, Literal["add", "concatenate"]] = {"ADD": "add", "CONCATENATION": "concatenate"}


def read_parts(file: TfliteFile, start: int) -> tuple[Shape, tuple[Part, ...]]:
    """Read the network behind a tensor up to the file's first output.

    Args:
        file: Its main graph is read.
        start: The network's input: the file's, or the output of its front end.

    Returns:
        Shape of the input, `(frames, bins, channels)`, and the blocks with their weights.

    Raises:
        KerasnasError: An operator cannot be read; the message has its number, its name, and why.
    """
    return _Reader(file, start).read()


class _Reader:
    def __init__(self, file: TfliteFile, start: int) -> None:
        self._graph = file.main
        self._start = start
        if not len(file.main.t.outputs):
            raise KerasnasError("it has no output: the file is damaged")
        self._output = int(file.main.t.outputs[0])
        self._numbers = {id(op): number for number, op in enumerate(file.main.t.operators)}
        self._consumers: dict[int, list[Any]] = {}
        for operator in self._needed():
            for place in dict.fromkeys(int(i) for i in operator.inputs):
                self._consumers.setdefault(place, []).append(operator)

    def read(self) -> tuple[Shape, tuple[Part, ...]]:
        for operator in self._needed():  # what is around them would be refused by what it does
            if self._graph.name_of(operator) in HOPELESS:
                self._refuse(operator, why_not(self._graph, operator))
        shape = self._input_shape()
        way = Way(self._graph, shape)
        place, join = self._follow(way, self._start)
        if join is not None:
            known = self._graph.name_of(join) in ARITHMETIC | _JOINS.keys()
            self._refuse(
                join,
                "not all it reads comes from the network's input"
                if known
                else why_not(self._graph, join),
            )
        flush(way, place)
        return shape, tuple(_with_separable(way.parts))

    def _needed(self) -> list[Any]:
        """Operators between the start and the output, in order."""
        needed: list[Any] = []
        waiting, seen = [self._output], {self._start}
        while waiting:
            place = waiting.pop()
            if place in seen or place < 0 or is_constant(self._graph, place):
                continue
            seen.add(place)
            operator = self._graph.producer(place)
            if operator is None:
                raise KerasnasError(f"its output depends on tensor {place}, which nothing computes")
            needed.append(operator)
            waiting += [int(i) for i in operator.inputs]
        unique = {id(operator): operator for operator in needed}
        return sorted(unique.values(), key=lambda operator: self._numbers[id(operator)])

    def _input_shape(self) -> Shape:
        shape = shape_of(self._graph, self._start)
        if len(shape) == 2 and self._start not in [int(i) for i in self._graph.t.inputs]:
            return (*shape, 1)  # a front end's output, which has no batch
        if len(shape) not in (3, 4) or -1 in shape[1:] or shape[0] not in (1, -1):
            raise KerasnasError(
                f"its input has shape {list(shape)}, where 1 and then frames, bins and perhaps "
                "channels of fixed sizes are needed: write it again with fixed shapes"
            )
        return shape[1:] if len(shape) == 4 else (*shape[1:], 1)

    def _follow(self, way: Way, place: int) -> tuple[int, Any | None]:
        """Read from a tensor on.

        Returns:
            The last tensor, and the operator that joins it with others; None at the output.
        """
        while place != self._output:
            consumers = self._consumers.get(place, [])
            if len(consumers) > 1:
                place = self._branch(way, place, consumers)
                continue
            if not consumers:
                raise KerasnasError(
                    f"no way leads from tensor {place} to its output: the file is damaged"
                )
            (operator,) = consumers
            if self._joins(operator):
                return place, operator
            place = self._read(way, operator)
        return place, None

    def _read(self, way: Way, operator: Any) -> int:
        """Read an operator and return the tensor that it writes."""
        name = self._graph.name_of(operator)
        try:
            if name not in ARITHMETIC | SAME | SHAPING:
                flush(way, int(operator.inputs[0]))
            if -1 in shape_of(self._graph, int(operator.outputs[0]))[1:]:
                raise Refused("its output's shape is not known before it runs")
            read_operator(way, operator)
        except (Refused, ExportError) as error:
            self._refuse(operator, str(error))
        # Whatever tensors and options that are not an operator's happen to raise.
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            self._refuse(operator, f"its parts do not fit it ({error}); the file is damaged")
        return int(operator.outputs[0])

    def _joins(self, operator: Any) -> bool:
        """Whether an operator reads several computed tensors."""
        return sum(not is_constant(self._graph, int(i)) for i in operator.inputs if i >= 0) > 1

    def _branch(self, way: Way, place: int, consumers: Sequence[Any]) -> int:
        """Read what several operators make of one tensor, up to where they join."""
        flush(way, place)
        if self._is_swish(consumers):
            product = next(op for op in consumers if self._graph.name_of(op) == "MUL")
            way.activate("silu", int(product.outputs[0]))
            return int(product.outputs[0])
        found = []
        for operator in consumers:
            branch = Way(self._graph, way.shape, at_start=False)
            if self._joins(operator):
                found.append((place, operator, branch))
                continue
            end, join = self._follow(branch, self._read(branch, operator))
            if join is None:
                self._refuse(operator, "the branch that it begins does not end in a join")
            flush(branch, end)
            found.append((end, join, branch))
        join = found[0][1]
        name = self._graph.name_of(join)
        if any(other is not join for _, other, _ in found):
            self._refuse(join, "its branches do not all end here")
        if name not in _JOINS:
            self._refuse(join, f"branches can be joined by {' and '.join(_JOINS)}, not by {name}")
        order = [int(i) for i in join.inputs]
        if sorted(order) != sorted(end for end, _, _ in found):
            self._refuse(join, "it reads more than the branches before it")
        found.sort(key=lambda entry: order.index(entry[0]))
        return self._join(way, name, join, [branch for _, _, branch in found])

    def _join(self, way: Way, name: str, operator: Any, branches: Sequence[Way]) -> int:
        place, kind = int(operator.outputs[0]), _JOINS[name]
        shape = branches[0].shape
        if kind == "add" and any(branch.shape != shape for branch in branches):
            self._refuse(operator, f"it adds {' and '.join(str(b.shape) for b in branches)}")
        if kind == "concatenate":
            rank = len(shape_of(self._graph, place))
            if operator.builtinOptions.axis % rank != rank - 1:
                self._refuse(operator, "it does not join the last axis")
            shape = (*shape[:-1], sum(branch.shape[-1] for branch in branches))
        block = Branches(tuple(tuple(p.block for p in b.parts) for b in branches), kind)
        weights = {
            f"{number}.{index}_{part.block.kind}.{weight}": values
            for number, branch in enumerate(branches)
            for index, part in enumerate(branch.parts)
            for weight, values in part.weights.items()
        }
        way.add(block, weights, place, shape)
        try:
            way.activate(fused(operator.builtinOptions.fusedActivationFunction), place)
        except Refused as error:
            self._refuse(operator, str(error))
        return place

    def _is_swish(self, consumers: Sequence[Any]) -> bool:
        """Whether a tensor goes into its own sigmoid and into the product with it."""
        by_name = {self._graph.name_of(operator): operator for operator in consumers}
        if len(consumers) != 2 or by_name.keys() != {"LOGISTIC", "MUL"}:
            return False
        return int(by_name["LOGISTIC"].outputs[0]) in [int(i) for i in by_name["MUL"].inputs]

    def _refuse(self, operator: Any, why: str) -> None:
        name = self._graph.name_of(operator)
        raise KerasnasError(
            f"operator {self._numbers[id(operator)]}, {name}, which writes tensor "
            f"{int(operator.outputs[0])}, cannot be read: {why}"
        )


def _with_separable(parts: Sequence[Part]) -> list[Part]:
    """Depthwise convolutions with the pointwise ones behind them, as one block each."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if (
            last is not None
            and isinstance(last.block, Depthwise)
            and isinstance(part.block, Convolution)
            and part.block.kernel_size == (1, 1)
        ):
            weights: Weights = {
                **{f"depthwise.{name}": values for name, values in last.weights.items()},
                **{f"pointwise.{name}": values for name, values in part.weights.items()},
            }
            merged[-1] = Part(Separable(last.block, part.block), weights, part.place)
        else:
            merged.append(part)
    return merged
