"""Integers but for the few operators that lose most: the form `mixed`.

The converter makes integers in two steps: it lets a file of floats see the calibration examples,
and then makes integers of it by the ranges of what it saw. The second step can leave operators
out, which then compute in float. Left out, one after another, is the operator at which the error
grows most, with those that write what it reads: it is mostly their output that is too coarse for
it, as where one channel is far beyond the others.

Of layers inside loops, and of attention over frames, nothing is left out: those are written by hand
(`convert.loops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Floats
from ..check.networks import to_type
from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile, TfliteGraph
from ..process.quiet import quiet

_EXAMPLES = 8


def with_floats(calibrated: bytes, calibration: Sequence[Floats], count: int) -> bytes:
    """Return integers of a file of floats, but for what loses most.

    Args:
        calibrated: The converter's file of floats, with ranges.
        calibration: For each input, `(examples, *its shape)`.
        count: How many operators are left in float, with those that write what they read.

    Raises:
        ExportError: The network has no more than twice as many operators that lose anything.
    """
    main = TfliteFile(calibrated).main
    names = [_name(tensor) for tensor in main.t.tensors]
    left: dict[str, None] = {}
    made = _quantized(calibrated, [])
    for _ in range(count):
        added = _added(main, names, _errors(calibrated, made, calibration))
        if len(added) <= 2 * count:
            raise ExportError(
                f"{count} operators in float are not few of {len(added)}: the form mixed is for "
                "larger networks"
            )
        worst = main.t.operators[max(added, key=lambda place: added[place])]
        writers = [main.producer(int(index)) for index in worst.inputs]
        for operator in (worst, *writers):
            left |= {} if operator is None else {names[i]: None for i in operator.outputs}
        made = _quantized(calibrated, list(left))
    return made


def _added(main: TfliteGraph, names: list[str], errors: dict[str, float]) -> dict[int, float]:
    """Return by how much the error grows at each operator, by its place."""
    added: dict[int, float] = {}
    for place, operator in enumerate(main.t.operators):
        output = names[operator.outputs[0]]
        if output in errors:
            before = [errors.get(names[index], 0.0) for index in operator.inputs if index >= 0]
            added[place] = errors[output] - max(before, default=0.0)
    return added


def _quantized(calibrated: bytes, left: list[str]) -> bytes:
    """Return integers of a file of floats, but for operators that write certain tensors."""
    from tensorflow.lite.python.convert import mlir_quantize

    return bytes(
        mlir_quantize(
            calibrated,
            denylisted_nodes=left or None,
            disable_per_channel_for_dense_layers=True,  # as `convert.stock` tells the converter
        )
    )


def _errors(calibrated: bytes, integers: bytes, calibration: Sequence[Floats]) -> dict[str, float]:
    """Return the relative error of each tensor that both files have, by its name."""
    exact, rounded = _Inner(calibrated), _Inner(integers)
    names = [name for name in exact.places if name in rounded.places]
    squares = {name: np.zeros(2) for name in names}  # of the values, and of the differences
    for example in zip(*(values[:_EXAMPLES] for values in calibration), strict=True):
        exact.run(example)
        rounded.run(example)
        for name in names:
            values, other = exact.values(name), rounded.values(name)
            if values.shape == other.shape:
                squares[name] += np.sum(values**2), np.sum((values - other) ** 2)
    return {name: float(np.sqrt(d / v)) for name, (v, d) in squares.items() if v > 0}


class _Inner:
    """A file whose inner tensors can be read after a run, by name."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        with quiet():
            self._interpreter: Any = Interpreter(
                model_content=content,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._interpreter.allocate_tensors()
        computed = {
            int(index)
            for operator in self._interpreter._get_ops_details()
            for index in operator["outputs"]
        }
        self.places: dict[str, Any] = {
            details["name"]: details
            for details in self._interpreter.get_tensor_details()
            if details["index"] in computed and details["dtype"] in (np.float32, np.int8)
        }

    def run(self, example: Sequence[Floats]) -> None:
        """Run it on one example, an array for each input."""
        for details, values in zip(self._interpreter.get_input_details(), example, strict=True):
            self._interpreter.set_tensor(details["index"], to_type(values[None], details))
        self._interpreter.invoke()

    def values(self, name: str) -> Floats:
        """Return a tensor as float64."""
        details = self.places[name]
        found = self._interpreter.get_tensor(details["index"]).astype(np.float64)
        scale, zero = details["quantization"]
        return (found - zero) * scale if scale else found


def _name(tensor: Any) -> str:
    return bytes(tensor.name).decode()
