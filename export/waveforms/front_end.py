"""A front end as operators of a `.tflite` graph: waveform in, logarithms of a spectrogram out.

A matrix can be applied to the logarithms (cepstral coefficients).

All operators are built in and have a runtime since TensorFlow Lite 2.5; shapes are all known, so
that libraries such as XNNPACK are not kept from the rest of the graph. What takes space is kept
small: frames are gathered in pieces as long as hop and transform allow, and the filter bank, of
which most is zero, is a product of small matrices, each of a few filters that lie side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, log
from typing import Literal

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile, TfliteTensor
from .writer import FloatWriter

RUNTIME = (2, 5, 0)
_FILTERS_TOGETHER = 4
"""Of a small matrix: more hold more zeros, fewer need more operators, of some 400 bytes each."""


@dataclass(frozen=True, eq=False)
class WaveformFrontEnd:
    """From a mono waveform of a fixed length to segments of the logarithm of a spectrogram.

    Attributes:
        sample_rate: Of the waveform, Hz.
        samples: Of the waveform.
        window: float32 `(n_fft,)`, a power of two.
        hop_length: Samples between frames.
        center: Whether frame t is centred on sample `t * hop_length`, the ends seeing zeros.
        power: 1 for magnitudes, 2 for powers.
        filters: float32 `(bins, n_fft // 2 + 1)`, what magnitudes or powers are multiplied by; None
            leaves them.
        offset: Added to every product with the filters.
        amin: Smaller values are raised to this before the logarithm.
        scale: What the natural logarithm is multiplied by: `decibels`, or 1.
        ref: What becomes 0 after the logarithm; `max`: the waveform's largest value.
        top: Values this far below the largest are raised to there; None leaves them.
        segment_frames: Frames of a segment.
        segment_hop: Frames between the beginnings of two segments.
        segments: How many; frames of silence are put behind the last where it is not whole.
        zeros: At the window's end, for which a frame that is not centred needs no samples.
        projection: float32 `(values, bins)`, what the logarithms are multiplied by, such as the
            cosines of cepstral coefficients; None leaves them.
    """

    sample_rate: int
    samples: int
    window: Floats
    hop_length: int
    center: bool
    power: Literal[1, 2]
    filters: Floats | None
    amin: float
    scale: float
    ref: float | Literal["max"]
    top: float | None
    segment_frames: int
    segment_hop: int
    segments: int
    offset: float = 0.0
    zeros: int = 0
    projection: Floats | None = None

    def __post_init__(self) -> None:
        size = len(self.window)
        if size & (size - 1):
            raise ExportError(
                f"no phone's runtime has a Fourier transform of {size} samples: take a power of "
                f"two, such as n_fft: {1 << size.bit_length()} with window_length: {size}, which "
                "needs another search or training"
            )

    @property
    def values(self) -> int:
        """Of a frame."""
        for matrix in (self.projection, self.filters):
            if matrix is not None:
                return len(matrix)
        return len(self.window) // 2 + 1

    @property
    def frames(self) -> int:
        """Of the waveform."""
        usable = self.samples - (0 if self.center else len(self.window) - self.zeros)
        return 1 + usable // self.hop_length


@dataclass(frozen=True, eq=False)
class FrozenFrontEnd:
    """A front end as a `.tflite` file of its own, whose operators are taken as they are.

    Attributes:
        content: Of a file of one graph, from float32 `(samples,)` to float32 `(frames, values)`.
        sample_rate: Of the waveform, Hz.
        samples: Of the waveform.
        values: Of a frame.
        segment_frames: Frames of a segment.
        segment_hop: Frames between the beginnings of two segments.
        segments: How many.
    """

    content: bytes
    sample_rate: int
    samples: int
    values: int
    segment_frames: int
    segment_hop: int
    segments: int


def decibels(power: Literal[1, 2]) -> float:
    """Return what natural logarithms of magnitudes (1) or powers (2) are multiplied by for dB."""
    return 20 / power / log(10)


def write_front_end(
    file: TfliteFile, front: WaveformFrontEnd | FrozenFrontEnd
) -> tuple[TfliteTensor, list[TfliteTensor]]:
    """Write a front end into the main graph of a file.

    Raises:
        ExportError: A frozen one is not of one graph of built-in operators.

    Returns:
        The waveform, float32 `(samples,)`, and each segment, float32 `(frames, bins)`.
    """
    writer = FloatWriter(file.main)
    if isinstance(front, FrozenFrontEnd):
        waveform, result = _spliced(file, front)
        return waveform, _segments(writer, front, result)
    file.require_runtime(RUNTIME)
    waveform = file.main.tensor((front.samples,), "float32")
    magnitudes = _magnitudes(writer, front, waveform)
    spectrum = magnitudes if front.filters is None else _product(writer, front.filters, magnitudes)
    last = front.segment_hop * (front.segments - 1) + front.segment_frames
    if last > front.frames:
        spectrum = writer.pad(spectrum, [(0, last - front.frames), (0, 0)])
    result = _logarithm(writer, front, spectrum)
    if front.projection is not None:
        result = _product(writer, front.projection, result)
    return waveform, _segments(writer, front, result)


def _segments(
    writer: FloatWriter, front: WaveformFrontEnd | FrozenFrontEnd, result: TfliteTensor
) -> list[TfliteTensor]:
    if result.shape[0] == front.segment_frames:
        return [result]
    starts = range(0, front.segments * front.segment_hop, front.segment_hop)
    shape = (front.segment_frames, result.shape[1])
    return [writer.slice(result, (start, 0), shape) for start in starts]


def _spliced(file: TfliteFile, front: FrozenFrontEnd) -> tuple[TfliteTensor, TfliteTensor]:
    """Take a file's operators into another one's main graph: what they read, what they give."""
    other = TfliteFile(front.content)
    codes = other.model.operatorCodes
    if len(other.graphs) > 1 or any(code.customCode for code in codes):
        names = ", ".join(code.customCode.decode() for code in codes if code.customCode)
        raise ExportError(
            f"a front end must be one graph of built-in operators, not {len(other.graphs)} graphs "
            f"with the custom operators {names or 'none'}: export without waveforms"
        )
    file.require_runtime(RUNTIME)
    offset = len(file.main.t.tensors)
    for tensor in other.main.t.tensors:
        data = other.model.buffers[tensor.buffer].data
        held = data is not None and len(data)
        tensor.buffer = file.buffer(np.asarray(data, np.uint8).tobytes()) if held else 0
        tensor.name = None
        file.main.t.tensors.append(tensor)
    for operator in other.main.t.operators:
        code = codes[operator.opcodeIndex]
        operator.opcodeIndex = file.operator_code(other.main.name_of(operator), code.version)
        operator.inputs = [int(i) + offset if i >= 0 else -1 for i in operator.inputs]
        operator.outputs = [int(i) + offset for i in operator.outputs]
        file.main.t.operators.append(operator)
    ends = (*other.main.t.inputs, *other.main.t.outputs)
    waveform, result = (file.main.existing(int(index) + offset) for index in ends)
    return waveform, result


def front_end_file(front: WaveformFrontEnd | FrozenFrontEnd) -> bytes:
    """Return a `.tflite` file of a front end alone, with an output for each segment."""
    file = TfliteFile()
    waveform, segments = write_front_end(file, front)
    file.main.t.inputs = [waveform.place]
    file.main.t.outputs = [segment.place for segment in segments]
    return file.content()


def _magnitudes(
    writer: FloatWriter, front: WaveformFrontEnd, waveform: TfliteTensor
) -> TfliteTensor:
    """Return magnitudes or powers of the frames' transforms, `(frames, n_fft // 2 + 1)`."""
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


def _product(writer: FloatWriter, matrix: Floats, values: TfliteTensor) -> TfliteTensor:
    """Return products of each frame's values with the rows, `(frames, rows)`."""
    if 2 * np.count_nonzero(matrix) > matrix.size:
        return writer.dense(values, matrix)
    frames = values.shape[0]
    parts = []
    for part, start in _small_matrices(matrix):
        seen = writer.slice(values, (0, start), (frames, part.shape[1]))
        parts.append(writer.dense(seen, part))
    return parts[0] if len(parts) == 1 else writer.concatenate(parts, axis=1)


def _small_matrices(filters: Floats) -> Iterator[tuple[Floats, int]]:
    """Parts of the bank `(filters, bins they see)`, in order, and the first bin that each sees."""
    for row in range(0, len(filters), _FILTERS_TOGETHER):
        together = filters[row : row + _FILTERS_TOGETHER]
        seen = np.flatnonzero(together.any(axis=0))
        start, stop = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
        yield np.ascontiguousarray(together[:, start:stop]), start


def _logarithm(
    writer: FloatWriter, front: WaveformFrontEnd, spectrum: TfliteTensor
) -> TfliteTensor:
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
