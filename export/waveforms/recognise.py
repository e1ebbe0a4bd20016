"""The front end inside a `.tflite` file that takes a waveform: the inverse of `front_end`.

Files cut a waveform into frames in many ways, so the operators that do it are not matched. The
part of the file up to the logarithm is run on probes instead: a waveform of ones shows the window,
a rising one where each frame begins, and noise gives the filter bank by least squares. That the
answers hold is checked on other noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile, TfliteGraph
from ..flatbuffer.metadata import Metadata
from ..flatbuffer.reading import constant, shape_of, type_of

Array = NDArray[np.float32]

_RAMP = np.float32(1 / 65536)  # a power of two: products with whole numbers are exact
_TOLERANCE = 1e-4
"""Relative error of what probes tell; arithmetic in float32 makes some 1e-6."""


@dataclass(frozen=True, eq=False)
class FoundFrontEnd:
    """What a file does to a waveform up to the logarithm of its filtered spectrogram.

    Attributes:
        content: A `.tflite` file of this part alone, from the waveform to the logarithms.
        sample_rate: Hz, where the file says so.
        samples: Of the waveform.
        window: float32 `(n_fft,)`, what each frame is multiplied by.
        first_start: Sample on which the first frame begins; below 0 where zeros stand before it.
        hop_length: Samples between frames.
        frames: Of the waveform.
        power: 1 where filters take magnitudes, 2 for powers.
        filters: float32 `(bins, n_fft // 2 + 1)`.
        offset: Added to the filters' outputs.
        amin: Smaller sums are raised to this; 0 where the offset alone keeps them up.
        end: Tensor of the file that has the logarithms.
    """

    content: bytes
    sample_rate: int | None
    samples: int
    window: Array
    first_start: int
    hop_length: int
    frames: int
    power: Literal[1, 2]
    filters: Array
    offset: float
    amin: float
    end: int


def recognise(content: bytes, metadata: Metadata) -> FoundFrontEnd | None:
    """Recognise the front end of a file; None of a file that takes no waveform.

    Args:
        content: Of a file that `reading.open_graph` has accepted.
        metadata: Of the file, for its sample rate.

    Raises:
        ExportError: The file takes a waveform, and what it does to it is not known here.
    """
    file = TfliteFile(content)
    graph = file.main
    source = int(graph.t.inputs[0])
    shape = shape_of(graph, source)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[0] in (1, -1))):
        return None
    if len(graph.t.inputs) != 1 or type_of(graph, source) != "FLOAT32" or shape[-1] <= 1:
        raise ExportError(
            f"the file takes {type_of(graph, source)} of shape {list(shape)}: one float32 waveform "
            "of a fixed length is needed"
        )
    transform = _only(graph, "RFFT2D", "a real Fourier transform")
    magnitude = _only(graph, "COMPLEX_ABS", "magnitudes of the transform")
    logarithm = _only(graph, "LOG", "one logarithm behind its filters")
    places = [transform.inputs[0], magnitude.outputs[0], logarithm.inputs[0]]
    size = int(constant(graph, int(transform.inputs[1]))[-1])
    end = int(logarithm.outputs[0])
    run = _Probe(_part(content, [int(place) for place in places]), shape[-1])
    window, starts = _framing(run, size)
    hops = np.unique(np.diff(starts))
    if len(hops) != 1 or hops[0] < 1:
        raise ExportError("frames of the waveform do not begin at equal distances")
    power, filters, offset = _filters(run)
    silence = float(f"{run(np.zeros(run.samples, np.float32))[2].max():.6g}")
    raised = silence > 0 and abs(silence - offset) > 0.01 * silence
    return FoundFrontEnd(
        content=_part(content, [end]),
        sample_rate=metadata.sample_rate,
        samples=run.samples,
        window=window,
        first_start=int(starts[0]),
        hop_length=int(hops[0]),
        frames=len(starts),
        power=power,
        filters=filters,
        offset=offset if raised else silence,
        amin=silence if raised else 0.0,
        end=end,
    )


def _only(graph: TfliteGraph, name: str, what: str) -> Any:
    found = [operator for operator in graph.t.operators if graph.name_of(operator) == name]
    if len(found) != 1:
        raise ExportError(
            f"the file takes a waveform and has {len(found)} operators {name}: a front end with "
            f"{what} can be recognised, other files are read when they take a spectrogram"
        )
    return found[0]


def _part(content: bytes, ends: Sequence[int]) -> bytes:
    """Return the part of a file that computes some tensors."""
    file = TfliteFile(content)
    file.main.t.outputs = list(ends)
    file.model.metadata = []
    return file.content()


class _Probe:
    """Runs the part up to frames, magnitudes and filtered magnitudes, float32 `(frames, …)`."""

    def __init__(self, content: bytes, samples: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.samples = samples
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ExportError(f"its front end cannot be run: {error}") from None

    def __call__(self, waveform: Array) -> list[Array]:
        (source,) = self._interpreter.get_input_details()
        self._interpreter.set_tensor(source["index"], waveform.reshape(source["shape"]))
        self._interpreter.invoke()
        found = [
            self._interpreter.get_tensor(end["index"])
            for end in self._interpreter.get_output_details()
        ]
        return [values.reshape(-1, values.shape[-1]) for values in found]


def _framing(run: _Probe, size: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the window, and the sample on which each frame begins.

    Raises:
        ExportError: Frames are no products of a window with samples of the waveform.
    """
    window = np.zeros(size, np.float32)
    ones = run(np.ones(run.samples, np.float32))[0]
    window[: ones.shape[1]] = ones[np.arange(len(ones)) == len(ones) // 2][0]
    peak = int(np.argmax(window))
    ramp = run(np.arange(1, run.samples + 1, dtype=np.float32) * _RAMP)[0]
    noise = np.random.default_rng(0).uniform(-1, 1, run.samples).astype(np.float32)
    if window[peak] > 0:
        place = np.rint(ramp[:, peak] / (window[peak] * _RAMP)) - 1
        starts = np.asarray(place, np.int64) - peak
        before, behind = max(0, -starts.min()), max(0, starts.max() + size - run.samples)
        padded = np.pad(noise, (before, behind))
        rows = starts[:, None] + before + np.arange(size)
        expected = padded[rows] * window
        found = run(noise)[0]
        if np.abs(expected[:, : found.shape[1]] - found).max() < _TOLERANCE * window[peak]:
            return window, starts
    raise ExportError(
        "its frames are not samples of the waveform times a window: take a file without filters or "
        "scaling in front of the frames"
    )


def _filters(run: _Probe) -> tuple[Literal[1, 2], Array, float]:
    """Power, filter bank and offset, by least squares over frames of noise.

    Raises:
        ExportError: What stands between magnitudes and logarithm is no filter bank.
    """
    rng = np.random.default_rng(1)
    magnitudes: list[NDArray[np.float64]] = []
    filtered: list[NDArray[np.float64]] = []
    while not magnitudes or sum(map(len, magnitudes)) < 3 * magnitudes[0].shape[1] + 100:
        noise = rng.uniform(-1, 1, run.samples) * rng.uniform(0.1, 1)
        _, magnitude, after = run(noise.astype(np.float32))
        magnitudes.append(magnitude.astype(np.float64))
        filtered.append(after.astype(np.float64))
    given, wanted = np.concatenate(magnitudes), np.concatenate(filtered)
    powers: tuple[Literal[1, 2], ...] = (1, 2)
    for power in powers:
        unit = (given**power).mean()
        x = np.column_stack([given**power / unit, np.ones(len(given))])
        fitted = np.linalg.lstsq(x, wanted, rcond=None)[0]
        if np.abs(x @ fitted - wanted).max() > _TOLERANCE * np.abs(wanted).max():
            continue
        offsets, bank = fitted[-1], fitted[:-1].T / unit
        offset = float(np.median(offsets))
        if np.ptp(offsets) < _TOLERANCE * np.abs(wanted).max():
            bank[np.abs(bank) < 1e-5 * bank.max()] = 0
            small = abs(offset) < 1e-6 * np.abs(wanted).mean()
            return power, bank.astype(np.float32), 0.0 if small else offset
    raise ExportError(
        "what stands between the magnitudes of its transforms and their logarithm is no filter bank"
    )
