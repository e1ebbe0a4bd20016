"""Operators on float32 tensors, and on indices, written into a graph by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Floats
from ..flatbuffer.graph import TfliteTensor
from ..flatbuffer.writer import GraphWriter


class FloatWriter(GraphWriter):
    """Operators in float32, each returning its output."""

    def pad(self, x: TfliteTensor, widths: list[tuple[int, int]]) -> TfliteTensor:
        """Return `x` with zeros around it."""
        shape = [size + sum(both) for size, both in zip(x.shape, widths, strict=True)]
        return self.write("PAD", (x, self.indices(widths)), shape, x.kind)

    def gather(self, x: TfliteTensor, rows: TfliteTensor) -> TfliteTensor:
        """Return rows of `x`."""
        return self.write("GATHER", (x, rows), (*rows.shape, *x.shape[1:]), x.kind)

    def binary(self, name: str, x: Any, y: Any) -> TfliteTensor:
        """ADD, SUB, MUL or MAXIMUM of tensors or arrays that spread to one shape."""
        both = [
            each if isinstance(each, TfliteTensor) else self.graph.constant(np.asarray(each))
            for each in (x, y)
        ]
        shape = np.broadcast_shapes(*(each.shape for each in both))
        return self.write(name, both, shape, both[0].kind)

    def unary(self, name: str, x: TfliteTensor) -> TfliteTensor:
        """LOG, or another function of each value."""
        return self.write(name, (x,), x.shape, "float32")

    def transform(self, frames: TfliteTensor) -> TfliteTensor:
        """Return magnitudes of the Fourier transforms of `(frames, 1, samples)`."""
        size = frames.shape[-1]
        shape = (*frames.shape[:-1], size // 2 + 1)
        inputs = (frames, self.indices([1, size]))
        return self.unary("COMPLEX_ABS", self.write("RFFT2D", inputs, shape, "complex64"))

    def slice(
        self, x: TfliteTensor, start: tuple[int, int], shape: tuple[int, int]
    ) -> TfliteTensor:
        """Return a part of `x`."""
        if shape == x.shape:
            return x
        return self.write("SLICE", (x, self.indices(start), self.indices(shape)), shape, x.kind)

    def dense(self, x: TfliteTensor, matrix: Floats) -> TfliteTensor:
        """Return `x @ matrix.T`."""
        rows = len(matrix)
        bias = np.zeros(rows, np.float32)  # without one, runtimes before 2.3 refuse the operator
        inputs = (x, self.graph.constant(matrix), self.graph.constant(bias))
        return self.write("FULLY_CONNECTED", inputs, (x.shape[0], rows), x.kind)

    def concatenate(self, parts: list[TfliteTensor], axis: int) -> TfliteTensor:
        """Return parts behind one another along an axis."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self.write("CONCATENATION", parts, shape, parts[0].kind, axis=axis)

    def largest(self, x: TfliteTensor) -> TfliteTensor:
        """Return the largest value of all, `(1, 1)`."""
        return self._reduce("REDUCE_MAX", x, (0, 1))

    def mean(self, x: TfliteTensor, axis: int) -> TfliteTensor:
        """Return the mean along an axis, of which one value is left."""
        return self._reduce("MEAN", x, (axis,))

    def _reduce(self, name: str, x: TfliteTensor, axes: tuple[int, ...]) -> TfliteTensor:
        shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        return self.write(name, (x, self.indices(axes)), shape, x.kind, keepDims=True)
