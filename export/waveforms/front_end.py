"""A front end as operators of a `.tflite` graph: waveform in, logarithms of a spectrogram out.

All operators are built in and have a runtime since TensorFlow Lite 2.5; shapes are all known, so
that libraries such as XNNPACK are not kept from the rest of the graph. What takes space is kept
small: frames are gathered in pieces as long as hop and transform allow, and the filter bank, of
which most is zero, is a product of small matrices, each of a few filters that lie side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd, log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..flatbuffer.graph import Graph, Tensor, TfliteFile

RUNTIME = (2, 5, 0)
_FILTERS_TOGETHER = 4
"""Of a small matrix: more hold more zeros, fewer need more operators, of some 400 bytes each."""


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """From a mono waveform of a fixed length to segments of the logarithm of a spectrogram.

    Attributes:
        sample_rate: Of the waveform, Hz.
        samples: Of the waveform.
        window: float32 `(n_fft,)`, a power of two.
        hop_length: Samples between frames.
        center: Whether frame t is centred on sample `t * hop_length`, the ends seeing zeros.
        power: 1 for magnitudes, 2 for powers.
        filters: float32 `(bins, n_fft // 2 + 1)`, what magnitudes or powers are multiplied by.
        offset: Added to every product with the filters.
        amin: Smaller values are raised to this before the logarithm.
        scale: What the natural logarithm is multiplied by: `decibels`, or 1.
        ref: What becomes 0 after the logarithm; `max`: the waveform's largest value.
        top: Values this far below the largest are raised to there; None leaves them.
        segment_frames: Frames of a segment.
        segment_hop: Frames between the beginnings of two segments.
        segments: How many; frames of silence are put behind the last where it is not whole.
        zeros: At the window's end, for which a frame that is not centred needs no samples.
    """

    sample_rate: int
    samples: int
    window: NDArray[np.float32]
    hop_length: int
    center: bool
    power: Literal[1, 2]
    filters: NDArray[np.float32]
    amin: float
    scale: float
    ref: float | Literal["max"]
    top: float | None
    segment_frames: int
    segment_hop: int
    segments: int
    offset: float = 0.0
    zeros: int = 0

    def __post_init__(self) -> None:
        size = len(self.window)
        if size & (size - 1):
            raise ExportError(
                f"no phone's runtime has a Fourier transform of {size} samples: take a power of "
                f"two, such as n_fft: {1 << size.bit_length()} with window_length: {size}, which "
                "needs another search or training"
            )

    @property
    def frames(self) -> int:
        """Of the waveform."""
        usable = self.samples - (0 if self.center else len(self.window) - self.zeros)
        return 1 + usable // self.hop_length


def decibels(power: Literal[1, 2]) -> float:
    """What natural logarithms of magnitudes (1) or powers (2) are multiplied by to give dB."""
    return 20 / power / log(10)


def write_front_end(file: TfliteFile, front: FrontEnd) -> tuple[Tensor, list[Tensor]]:
    """Write a front end into the main graph of a file.

    Returns:
        The waveform, float32 `(samples,)`, and each segment, float32 `(frames, bins)`.
    """
    file.require_runtime(RUNTIME)
    writer = GraphWriter(file.main)
    waveform = file.main.tensor((front.samples,), "float32")
    magnitudes = _magnitudes(writer, front, waveform)
    spectrum = _filtered(writer, front.filters, magnitudes)
    last = front.segment_hop * (front.segments - 1) + front.segment_frames
    if last > front.frames:
        spectrum = writer.pad(spectrum, [(0, last - front.frames), (0, 0)])
    result = _logarithm(writer, front, spectrum)
    if result.shape[0] == front.segment_frames:
        return waveform, [result]
    starts = range(0, front.segments * front.segment_hop, front.segment_hop)
    shape = (front.segment_frames, result.shape[1])
    return waveform, [writer.slice(result, (start, 0), shape) for start in starts]


def front_end_file(front: FrontEnd) -> bytes:
    """A `.tflite` file of a front end alone: from the waveform to each segment, an output each."""
    file = TfliteFile()
    waveform, segments = write_front_end(file, front)
    file.main.t.inputs = [waveform.place]
    file.main.t.outputs = [segment.place for segment in segments]
    return file.content()


def _magnitudes(writer: GraphWriter, front: FrontEnd, waveform: Tensor) -> Tensor:
    """Magnitudes or powers of the frames' transforms, `(frames, n_fft // 2 + 1)`."""
    size, hop = len(front.window), front.hop_length
    piece = gcd(size, hop)
    before = size // 2 if front.center else 0
    needed = max((front.frames - 1) * hop + size, before + front.samples)
    behind = -(-needed // piece) * piece - before - front.samples
    padded = writer.pad(waveform, [(before, behind)]) if before or behind else waveform
    pieces = writer.reshape(padded, (padded.shape[0] // piece, piece))
    first = np.arange(front.frames, dtype=np.int32)[:, None] * (hop // piece)
    rows = writer.binary("ADD", first, np.arange(size // piece, dtype=np.int32)[None])
    frames = writer.reshape(writer.gather(pieces, rows), (front.frames, 1, size))
    windowed = writer.binary("MUL", frames, front.window)
    transforms = writer.transform(windowed)
    magnitudes = writer.reshape(transforms, (front.frames, size // 2 + 1))
    return writer.binary("MUL", magnitudes, magnitudes) if front.power == 2 else magnitudes


def _filtered(writer: GraphWriter, filters: NDArray[np.float32], magnitudes: Tensor) -> Tensor:
    """Products with the filters, `(frames, bins)`."""
    frames = magnitudes.shape[0]
    parts = []
    for matrix, start in _small_matrices(filters):
        seen = writer.slice(magnitudes, (0, start), (frames, matrix.shape[1]))
        parts.append(writer.dense(seen, matrix))
    return parts[0] if len(parts) == 1 else writer.concatenate(parts, axis=1)


def _small_matrices(filters: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Parts of the bank `(filters, bins they see)`, in order, and the first bin that each sees."""
    for row in range(0, len(filters), _FILTERS_TOGETHER):
        together = filters[row : row + _FILTERS_TOGETHER]
        seen = np.flatnonzero(together.any(axis=0))
        start, stop = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
        yield np.ascontiguousarray(together[:, start:stop]), start


def _logarithm(writer: GraphWriter, front: FrontEnd, spectrum: Tensor) -> Tensor:
    if front.offset:
        spectrum = writer.binary("ADD", spectrum, np.float32(front.offset))
    floored = writer.binary("MAXIMUM", spectrum, np.float32(front.amin))
    result = writer.unary("LOG", floored)
    if front.scale != 1:
        result = writer.binary("MUL", result, np.float32(front.scale))
    if front.ref == "max":
        result = writer.binary("SUB", result, writer.largest(result))
    elif front.ref != 1:
        result = writer.binary("SUB", result, np.float32(front.scale * log(front.ref)))
    if front.top is None:
        return result
    if front.ref == "max":
        return writer.binary("MAXIMUM", result, np.float32(-front.top))
    limit = writer.binary("SUB", writer.largest(result), np.float32(front.top))
    return writer.binary("MAXIMUM", result, limit)


class GraphWriter:
    """Operators on float32 tensors and on indices, each returning its output."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._schema = graph.file.schema

    def _write(
        self,
        name: str,
        inputs: Sequence[Tensor],
        shape: Sequence[int],
        kind: str = "float32",
        options: Any = None,
    ) -> Tensor:
        output = self._graph.tensor(shape, kind)
        self._graph.operator(name, 1, inputs, (output,), options)
        return output

    def _indices(self, values: Any) -> Tensor:
        return self._graph.constant(np.array(values, np.int32))

    def pad(self, x: Tensor, widths: list[tuple[int, int]]) -> Tensor:
        """`x` with zeros around it."""
        shape = [
            size + before + behind for size, (before, behind) in zip(x.shape, widths, strict=True)
        ]
        return self._write(
            "PAD", (x, self._indices(widths)), shape, options=self._schema.PadOptionsT()
        )

    def reshape(self, x: Tensor, shape: tuple[int, ...], output: Tensor | None = None) -> Tensor:
        """`x` in another shape, in a new tensor or in `output`."""
        output = output or self._graph.tensor(shape, "float32")
        inputs = (x, self._indices(shape))
        self._graph.operator("RESHAPE", 1, inputs, (output,), self._schema.ReshapeOptionsT())
        return output

    def gather(self, x: Tensor, rows: Tensor) -> Tensor:
        """Rows of `x`."""
        shape = (*rows.shape, *x.shape[1:])
        return self._write("GATHER", (x, rows), shape, options=self._schema.GatherOptionsT())

    def binary(self, name: str, x: Any, y: Any) -> Tensor:
        """ADD, SUB, MUL or MAXIMUM of tensors or arrays that spread to one shape."""
        both = [
            operand if isinstance(operand, Tensor) else self._graph.constant(np.asarray(operand))
            for operand in (x, y)
        ]
        title = "MaximumMinimum" if name == "MAXIMUM" else name.title()
        options = getattr(self._schema, f"{title}OptionsT")()
        shape = np.broadcast_shapes(*(operand.shape for operand in both))
        return self._write(name, both, shape, both[0].kind, options)

    def unary(self, name: str, x: Tensor) -> Tensor:
        """LOG, or another function of each value."""
        return self._write(name, (x,), x.shape)

    def transform(self, frames: Tensor) -> Tensor:
        """Magnitudes of the Fourier transforms of `(frames, 1, samples)`."""
        size = frames.shape[-1]
        shape = (*frames.shape[:-1], size // 2 + 1)
        options = self._schema.Rfft2dOptionsT()
        inputs = (frames, self._indices([1, size]))
        return self.unary("COMPLEX_ABS", self._write("RFFT2D", inputs, shape, "complex64", options))

    def slice(self, x: Tensor, start: tuple[int, int], shape: tuple[int, int]) -> Tensor:
        """A part of `x`."""
        if shape == x.shape:
            return x
        inputs = (x, self._indices(start), self._indices(shape))
        return self._write("SLICE", inputs, shape, options=self._schema.SliceOptionsT())

    def dense(self, x: Tensor, matrix: NDArray[np.float32]) -> Tensor:
        """`x @ matrix.T`."""
        rows = len(matrix)
        bias = np.zeros(rows, np.float32)  # without one, runtimes before 2.3 refuse the operator
        inputs = (x, self._graph.constant(matrix), self._graph.constant(bias))
        options = self._schema.FullyConnectedOptionsT()
        return self._write("FULLY_CONNECTED", inputs, (x.shape[0], rows), options=options)

    def concatenate(self, parts: list[Tensor], axis: int) -> Tensor:
        """Parts behind one another along an axis."""
        options = self._schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self._write("CONCATENATION", parts, shape, options=options)

    def largest(self, x: Tensor) -> Tensor:
        """The largest value of all, `(1, 1)`."""
        return self._reduce("REDUCE_MAX", x, (0, 1))

    def mean(self, x: Tensor, axis: int) -> Tensor:
        """The mean along an axis, of which one value is left."""
        return self._reduce("MEAN", x, (axis,))

    def _reduce(self, name: str, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        options = self._schema.ReducerOptionsT()
        options.keepDims = True
        shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        return self._write(name, (x, self._indices(axes)), shape, options=options)
