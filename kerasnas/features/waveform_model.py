"""Embeddings by a `.tflite` file that takes a waveform, window by window."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas import files
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform
from kerasnas.features.embedding_settings import Embedding

_ANY_LENGTH = -1


def embed(waveform: Waveform, settings: Embedding) -> NDArray[np.float32]:
    """Embeddings of a clip.

    Args:
        waveform: float32 `(settings.samples, 1)` at `settings.sample_rate`.
        settings: The file and what it gives.

    Returns:
        float32 `(frames, values)`.

    Raises:
        KerasnasError: The file does not exist or takes or gives something else.
    """
    model = _load(settings.model.absolute(), digest(settings), settings.output)
    if model.window == _ANY_LENGTH:
        found = model(waveform[:, 0])
    else:
        hop = model.window
        if settings.hop_seconds is not None:
            hop = max(1, round(settings.hop_seconds * settings.sample_rate))
        starts = range(0, settings.samples - model.window + 1, hop)
        if not starts:
            raise KerasnasError(
                f"{settings.model} takes windows of {model.window} samples, a clip of "
                f"{settings.seconds:g} s has {settings.samples}: raise seconds"
            )
        windows = [model(waveform[start : start + model.window, 0]) for start in starts]
        found = np.concatenate(windows)
    if found.shape != (settings.frames, settings.values):
        raise KerasnasError(
            f"{settings.model} gives {found.shape[0]} embeddings of {found.shape[1]} values for a "
            f"clip of {settings.seconds:g} s, where features say frames: {settings.frames} and "
            f"values: {settings.values}"
        )
    return found


def digest(settings: Embedding) -> str:
    """SHA-256 of the model file, in hexadecimal digits.

    Raises:
        KerasnasError: It cannot be read.
    """
    path = settings.model.absolute()
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise KerasnasError(f"{path}: {error.strerror}; features: model names it") from None


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    """Return the digest of a file, computed again when its size or time of change is another."""
    return files.digest(path)


@dataclass(frozen=True)
class _WaveformModel:
    """A model file, loaded.

    Attributes:
        path: Of the file.
        interpreter: With one thread: clips are computed side by side.
        window: Samples that it takes, or `_ANY_LENGTH`.
        output: Index of its output.
    """

    path: Path
    interpreter: Any
    window: int
    output: int

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings of one window, `(frames, values)`."""
        detail = self.interpreter.get_input_details()[0]
        shape = (len(samples),) if len(detail["shape"]) == 1 else (1, len(samples))
        try:
            if tuple(detail["shape"]) != shape:
                self.interpreter.resize_tensor_input(detail["index"], shape)
            self.interpreter.allocate_tensors()  # nothing, unless the length is another
            self.interpreter.set_tensor(detail["index"], samples.reshape(shape))
            self.interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise KerasnasError(f"{self.path} fails for {len(samples)} samples: {error}") from None
        index = self.interpreter.get_output_details()[self.output]["index"]
        found = np.asarray(self.interpreter.get_tensor(index), np.float32)
        return found.reshape(-1, found.shape[-1])


@lru_cache(maxsize=2)
def _load(path: Path, content: str, output: int) -> _WaveformModel:
    """Load the file; `content` is its digest, so that another one in its place is loaded anew."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path), num_threads=1)
    except (ValueError, RuntimeError) as error:
        raise KerasnasError(f"{path} cannot be loaded as a .tflite file: {error}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shape = [int(size) for size in inputs[0]["shape_signature"]]
    if len(inputs) != 1 or inputs[0]["dtype"] != np.float32 or shape[:-1] not in ([], [1], [-1]):
        given = ", ".join(f"{d['shape_signature'].tolist()} {d['dtype'].__name__}" for d in inputs)
        raise KerasnasError(
            f"{path} takes {given}: a waveform is needed, one float32 input of shape [samples] or "
            "[1, samples]"
        )
    if output >= len(outputs):
        raise KerasnasError(f"{path} has {len(outputs)} outputs; features: output is {output}")
    window = shape[-1]
    if window == 1 and len(shape) == 1:  # how files of any length are written by older converters
        window = _ANY_LENGTH
    return _WaveformModel(path, interpreter, window, output)
