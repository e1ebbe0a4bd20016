"""Operators on int8, int16 and int32 tensors, written into a graph by hand.

Versions are the oldest that know the types; the runtime they need is 2.4, but for FILL of int8
(2.5) and DYNAMIC_UPDATE_SLICE (2.9). An int8 tensor becomes int16 with 1/128 of its step, which
loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Floats
from ..flatbuffer.graph import Scale, TfliteTensor
from ..flatbuffer.writer import GraphWriter
from ..keras_model.recurrent import Range

UNIT = Scale(1 / 32768)
"""What LOGISTIC, TANH and SOFTMAX give in int16."""
RUNTIME = (2, 4, 0)
RUNTIME_WRITE_ROW = (2, 9, 0)
_FINER = 128


def int8_scale(range_: Range, least: float = 1e-6 / 255) -> Scale:
    """Return the scale of int8 that covers a range, in steps of `least` at least."""
    step = max((range_.high - range_.low) / 255, least)
    return Scale(step, round(-128 - range_.low / step))


class IntegerWriter(GraphWriter):
    """Operators on integers, each returning its output."""

    def arguments(self, like: Sequence[TfliteTensor]) -> list[TfliteTensor]:
        """Return the inputs of a loop's graph."""
        inputs = [self.graph.tensor(t.shape, t.kind, t.scale) for t in like]
        self.graph.t.inputs = [tensor.place for tensor in inputs]
        return inputs

    def dense(
        self, x: TfliteTensor, kernel: Floats, bias: Floats | None, result: Range, rows: int
    ) -> TfliteTensor:
        """Return `x @ kernel + bias`, int8 `(rows, outputs)`.

        The kernel has one step: runtimes before 2.17 compute dense layers with one a channel
        wrongly.
        """
        assert x.scale is not None
        step = max(float(np.abs(kernel).max()), 1e-8) / 127
        kernel_ = np.clip(np.round(kernel.T / step), -127, 127).astype(np.int8)
        inputs = [x, self.graph.constant(kernel_, Scale(step))]
        both = step * x.scale.step
        if bias is not None:
            rounded = np.clip(np.round(bias / both), -(2**31), 2**31 - 1).astype(np.int32)
            inputs.append(self.graph.constant(rounded, Scale(both)))
        else:
            inputs.append(TfliteTensor(-1, (), "int32"))
        # Sums have this step, and XNNPACK refuses far finer ones, as of a range of zero.
        scale = int8_scale(result, both)
        shape = (rows, kernel.shape[1])
        return self.write("FULLY_CONNECTED", inputs, shape, "int8", scale, version=4)

    def binary(
        self,
        name: str,
        x: TfliteTensor,
        y: TfliteTensor,
        scale: Scale | None,
        relu: bool = False,
    ) -> TfliteTensor:
        """ADD, SUB or MUL of int16 tensors that spread to one shape; `relu` cuts off below 0."""
        version = {"ADD": 3, "SUB": 5, "MUL": 4}[name]
        shape = np.broadcast_shapes(x.shape, y.shape)
        options: dict[str, Any] = {} if name == "MUL" else {"potScaleInt16": False}
        if relu:
            options["fusedActivationFunction"] = self.graph.file.schema.ActivationFunctionType.RELU
        return self.write(name, (x, y), shape, x.kind, scale, version=version, **options)

    def int32(self, name: str, x: TfliteTensor | int, y: TfliteTensor | int) -> TfliteTensor:
        """ADD, SUB, MUL, DIV, MAXIMUM or MINIMUM of int32 numbers without a scale."""
        both = [self.indices([each]) if isinstance(each, int) else each for each in (x, y)]
        return self.write(name, both, np.broadcast_shapes(both[0].shape, both[1].shape), "int32")

    def unary(self, name: str, x: TfliteTensor) -> TfliteTensor:
        """LOGISTIC or TANH in int16."""
        return self.write(name, (x,), x.shape, x.kind, UNIT, version=3)

    def widen(self, x: TfliteTensor) -> TfliteTensor:
        """int8 as int16, without loss."""
        assert x.scale is not None
        scale = Scale(x.scale.step / _FINER)
        return self.write("QUANTIZE", (x,), x.shape, "int16", scale, version=2)

    def rescale(self, x: TfliteTensor, scale: Scale) -> TfliteTensor:
        """int8 or int16 as int16 of a scale."""
        return self.write("QUANTIZE", (x,), x.shape, "int16", scale, version=2)

    def narrow(self, x: TfliteTensor, scale: Scale | None) -> TfliteTensor:
        """Anything as int8 of a scale."""
        return self.write("QUANTIZE", (x,), x.shape, "int8", scale)

    def is_zero(self, x: TfliteTensor) -> TfliteTensor:
        """Return where int32 numbers are zero."""
        return self.write("EQUAL", (x, self.indices([0])), x.shape, "bool")

    def cast(self, x: TfliteTensor, kind: str, scale: Scale | None = None) -> TfliteTensor:
        """Return the same integers in another type."""
        return self.write("CAST", (x,), x.shape, kind, scale)

    def softmax(self, x: TfliteTensor) -> TfliteTensor:
        """Return the softmax of int16 over the last axis."""
        return self.write("SOFTMAX", (x,), x.shape, x.kind, UNIT, version=3, beta=1.0)

    def mean(self, x: TfliteTensor, scale: Scale) -> TfliteTensor:
        """Return the mean of int16 `(1, frames, channels)` over the frames."""
        shape = (x.shape[0], *x.shape[2:])
        inputs = (x, self.indices([1]))
        return self.write("MEAN", inputs, shape, x.kind, scale, version=3, keepDims=False)

    def transpose(self, x: TfliteTensor, order: tuple[int, ...]) -> TfliteTensor:
        """int16 with its axes in another order."""
        shape = [x.shape[axis] for axis in order]
        return self.write("TRANSPOSE", (x, self.indices(order)), shape, x.kind, x.scale, version=5)

    def split(self, x: TfliteTensor, parts: int) -> list[TfliteTensor]:
        """int16 `(1, n)` in equal parts."""
        shape = (1, x.shape[1] // parts)
        axis = self.indices(1)
        outputs = [self.graph.tensor(shape, x.kind, x.scale) for _ in range(parts)]
        self.write_to("SPLIT", (axis, x), outputs, version=4, numSplits=parts)
        return outputs

    def gather(self, x: TfliteTensor, row: TfliteTensor) -> TfliteTensor:
        """Return one row of int8 `(rows, n)`: `(1, n)`."""
        return self.write("GATHER", (x, row), (1, x.shape[1]), x.kind, x.scale, version=2)

    def write_row(self, x: TfliteTensor, row: TfliteTensor, place: TfliteTensor) -> TfliteTensor:
        """Return `x` with `row` at `place`."""
        corner = self.write("CONCATENATION", (place, self.indices([0])), (2,), "int32")
        inputs = (x, row, corner)
        return self.write("DYNAMIC_UPDATE_SLICE", inputs, x.shape, x.kind, x.scale)

    def fill(self, shape: tuple[int, ...], scale: Scale) -> TfliteTensor:
        """Return zeros in int8, which are not held in the file."""
        zero = self.graph.constant(np.array(scale.zero, np.int8), scale)
        return self.write("FILL", (self.indices(shape), zero), shape, "int8", scale, version=3)
