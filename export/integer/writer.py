"""Operators on int8, int16 and int32 tensors, written into a graph by hand.

Versions are the oldest that know the types; the runtime they need is 2.4, but for FILL of int8
(2.5) and DYNAMIC_UPDATE_SLICE (2.9). An int8 tensor becomes int16 with 1/128 of its step, which
loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..flatbuffer.graph import Graph, Scale, Tensor
from ..keras_model.recurrent import Range

UNIT = Scale(1 / 32768)
"""What LOGISTIC, TANH and SOFTMAX give in int16."""
RUNTIME = (2, 4, 0)
RUNTIME_WRITE_ROW = (2, 9, 0)
_FINER = 128


def int8_scale(range_: Range, least: float = 1e-6 / 255) -> Scale:
    """The scale of int8 that covers a range, in steps of `least` at least."""
    step = max((range_.high - range_.low) / 255, least)
    return Scale(step, round(-128 - range_.low / step))


class Writer:
    """Operators on integers, each returning its output."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._schema = graph.file.schema

    def arguments(self, like: Sequence[Tensor]) -> list[Tensor]:
        """The inputs of a loop's graph."""
        inputs = [self.graph.tensor(t.shape, t.kind, t.scale) for t in like]
        self.graph.t.inputs = [tensor.place for tensor in inputs]
        return inputs

    def dense(
        self,
        x: Tensor,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        result: Range,
        rows: int,
    ) -> Tensor:
        """`x @ kernel + bias`, int8 `(rows, outputs)`.

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
            inputs.append(Tensor(-1, (), "int32"))
        # Sums have this step, and XNNPACK refuses far finer ones, as of a range of zero.
        scale = int8_scale(result, both)
        output = self.graph.tensor((rows, kernel.shape[1]), "int8", scale)
        options = self._schema.FullyConnectedOptionsT()
        self.graph.operator("FULLY_CONNECTED", 4, inputs, (output,), options)
        return output

    def binary(self, name: str, x: Tensor, y: Tensor, scale: Scale | None) -> Tensor:
        """ADD, SUB or MUL of int16 tensors that spread to one shape."""
        options = getattr(self._schema, f"{name.title()}OptionsT")()
        if name != "MUL":
            options.potScaleInt16 = False
        output = self.graph.tensor(np.broadcast_shapes(x.shape, y.shape), x.kind, scale)
        version = {"ADD": 3, "SUB": 5, "MUL": 4}[name]
        self.graph.operator(name, version, (x, y), (output,), options)
        return output

    def indices(self, name: str, x: Tensor | int, y: Tensor | int) -> Tensor:
        """ADD, SUB, MUL, DIV, MAXIMUM or MINIMUM of int32 numbers without a scale."""
        both = [
            self.graph.constant(np.array([operand], np.int32))
            if isinstance(operand, int)
            else operand
            for operand in (x, y)
        ]
        shape = np.broadcast_shapes(both[0].shape, both[1].shape)
        output = self.graph.tensor(shape, "int32")
        title = "MaximumMinimum" if name.startswith("M") and name != "MUL" else name.title()
        options = getattr(self._schema, f"{title}OptionsT")()
        self.graph.operator(name, 1, both, (output,), options)
        return output

    def unary(self, name: str, x: Tensor) -> Tensor:
        """LOGISTIC or TANH in int16."""
        output = self.graph.tensor(x.shape, x.kind, UNIT)
        self.graph.operator(name, 3, (x,), (output,))
        return output

    def widen(self, x: Tensor) -> Tensor:
        """int8 as int16, without loss."""
        assert x.scale is not None
        output = self.graph.tensor(x.shape, "int16", Scale(x.scale.step / _FINER))
        self._quantize(x, output, 2)
        return output

    def narrow(self, x: Tensor, scale: Scale | None) -> Tensor:
        """Anything as int8 of a scale."""
        output = self.graph.tensor(x.shape, "int8", scale)
        self._quantize(x, output, 1)
        return output

    def _quantize(self, x: Tensor, output: Tensor, version: int) -> None:
        options = self._schema.QuantizeOptionsT()
        self.graph.operator("QUANTIZE", version, (x,), (output,), options)

    def is_zero(self, x: Tensor) -> Tensor:
        """Where int32 numbers are zero."""
        zero = self.graph.constant(np.zeros(1, np.int32))
        output = self.graph.tensor(x.shape, "bool")
        self.graph.operator("EQUAL", 1, (x, zero), (output,), self._schema.EqualOptionsT())
        return output

    def cast(self, x: Tensor, kind: str, scale: Scale | None = None) -> Tensor:
        """The same integers in another type."""
        output = self.graph.tensor(x.shape, kind, scale)
        self.graph.operator("CAST", 1, (x,), (output,), self._schema.CastOptionsT())
        return output

    def softmax(self, x: Tensor) -> Tensor:
        """Softmax of int16 over the last axis."""
        output = self.graph.tensor(x.shape, x.kind, UNIT)
        options = self._schema.SoftmaxOptionsT()
        options.beta = 1.0
        self.graph.operator("SOFTMAX", 3, (x,), (output,), options)
        return output

    def mean(self, x: Tensor, scale: Scale) -> Tensor:
        """Mean of int16 `(1, frames, channels)` over the frames."""
        axis = self.graph.constant(np.ones(1, np.int32))
        output = self.graph.tensor((x.shape[0], *x.shape[2:]), x.kind, scale)
        options = self._schema.ReducerOptionsT()
        options.keepDims = False
        self.graph.operator("MEAN", 3, (x, axis), (output,), options)
        return output

    def transpose(self, x: Tensor, order: tuple[int, ...]) -> Tensor:
        """int16 with its axes in another order."""
        permutation = self.graph.constant(np.array(order, np.int32))
        shape = tuple(x.shape[axis] for axis in order)
        output = self.graph.tensor(shape, x.kind, x.scale)
        options = self._schema.TransposeOptionsT()
        self.graph.operator("TRANSPOSE", 5, (x, permutation), (output,), options)
        return output

    def split(self, x: Tensor, parts: int) -> list[Tensor]:
        """int16 `(1, n)` in equal parts."""
        axis = self.graph.constant(np.array(1, np.int32))
        shape = (1, x.shape[1] // parts)
        outputs = [self.graph.tensor(shape, x.kind, x.scale) for _ in range(parts)]
        options = self._schema.SplitOptionsT()
        options.numSplits = parts
        self.graph.operator("SPLIT", 4, (axis, x), outputs, options)
        return outputs

    def gather(self, x: Tensor, row: Tensor) -> Tensor:
        """One row of int16 `(rows, n)`: `(1, n)`."""
        output = self.graph.tensor((1, x.shape[1]), x.kind, x.scale)
        options = self._schema.GatherOptionsT()
        self.graph.operator("GATHER", 4, (x, row), (output,), options)
        return output

    def write_row(self, x: Tensor, row: Tensor, place: Tensor) -> Tensor:
        """`x` with `row` at `place`."""
        zero = self.graph.constant(np.zeros(1, np.int32))
        corner = self.graph.tensor((2,), "int32")
        concatenation = self._schema.ConcatenationOptionsT()
        self.graph.operator("CONCATENATION", 1, (place, zero), (corner,), concatenation)
        output = self.graph.tensor(x.shape, x.kind, x.scale)
        options = self._schema.DynamicUpdateSliceOptionsT()
        self.graph.operator("DYNAMIC_UPDATE_SLICE", 1, (x, row, corner), (output,), options)
        return output

    def fill(self, shape: tuple[int, ...], scale: Scale) -> Tensor:
        """Zeros in int8, which are not held in the file."""
        zero = self.graph.constant(np.array(scale.zero, np.int8), scale)
        output = self.graph.tensor(shape, "int8", scale)
        dimensions = self.graph.constant(np.array(shape, np.int32))
        options = self._schema.FillOptionsT()
        self.graph.operator("FILL", 3, (dimensions, zero), (output,), options)
        return output

    def reshape(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """`x` in another shape."""
        target = self.graph.constant(np.array(shape, np.int32))
        output = self.graph.tensor(shape, x.kind, x.scale)
        options = self._schema.ReshapeOptionsT()
        self.graph.operator("RESHAPE", 1, (x, target), (output,), options)
        return output
