"""What tensorflow-io does: log-mel spectrograms as one graph, and where silent ends are.

The one place that imports tensorflow-io, and only when it is used. Its compiled plugins do not load
beside current TensorFlow (undefined symbols), which it warns of on import; its audio functions are
plain TensorFlow and need none of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.features.mel_settings import TfioLogMel


def log_mel(
    waveforms: Any,
    *,
    sample_rate: int = 16000,
    n_fft: int = 1024,
    window_length: int | None = None,
    hop_length: int = 256,
    mel_bins: int = 64,
    fmin: float = 0.0,
    fmax: float | None = None,
    amin: float = 1e-10,
    top_db: float = 80.0,
) -> Any:
    """Return log-mel spectrograms as a TensorFlow graph, for `tf.data` and models of one's own.

    ```python
    data = tf.data.Dataset.from_tensor_slices((waveforms, labels)).batch(32)
    data = data.map(lambda x, y: (log_mel(x, sample_rate=16000)[..., None], y))
    ```

    Args:
        waveforms: float32 `(samples,)` or `(clips, samples)`.
        sample_rate: Of the waveforms, Hz.
        n_fft: Samples of a Fourier transform.
        window_length: Samples of the Hann window, zeros behind it; None is `n_fft`.
        hop_length: Samples between frames.
        mel_bins: Number of mel bands, on HTK's scale, of height 1.
        fmin: Lower end of the lowest band, Hz.
        fmax: Upper end of the highest band, Hz; None is half the sample rate.
        amin: Smaller squares are raised to this before the logarithm.
        top_db: Values this far below the largest of a clip are raised to there.

    Returns:
        float32 `(frames, mel_bins)` or `(clips, frames, mel_bins)`, in dB; there is a frame for
        each hop that has begun.

    Raises:
        KerasnasError: tensorflow-io is not installed.
    """
    import tensorflow as tf

    audio = _audio("features.kind: tfio_log_mel")

    def one(waveform: Any) -> Any:
        spectrum = audio.spectrogram(waveform, n_fft, window_length or n_fft, hop_length)
        highest = sample_rate / 2 if fmax is None else fmax
        bands = audio.melscale(spectrum, sample_rate, mel_bins, fmin, highest)
        return audio.dbscale(bands, top_db, amin=amin)

    waveforms = tf.convert_to_tensor(waveforms, tf.float32)
    return one(waveforms) if waveforms.shape.rank == 1 else tf.map_fn(one, waveforms)


def of_waveforms(
    waveforms: Sequence[NDArray[np.float32]], settings: TfioLogMel
) -> NDArray[np.float32]:
    """Return features of clips of the experiment's length, computed in one batch.

    Args:
        waveforms: Each float32 `(settings.samples,)`.
        settings: The front end's parameters.

    Returns:
        float32 `(clips, frames, bins)`.
    """
    return np.asarray(_batched(settings)(np.stack(waveforms)))


def frozen(settings: TfioLogMel) -> bytes:
    """Return the graph of one clip as a `.tflite` file: `(samples,)` to `(frames, bins)`."""
    import tensorflow as tf

    signature = [tf.TensorSpec((settings.samples,), tf.float32)]
    graph = tf.function(lambda x: _of(x, settings), signature, autograph=False)
    concrete = graph.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], graph)
    content: bytes = converter.convert()
    return content


def sound(waveform: Waveform, depth: float) -> slice:
    """Return where a recording sounds: its samples without the silent ends.

    `tfio.audio.trim` compares samples with its limit, not their size, and each channel on its own.
    It is given the largest absolute value of the channels, which stay together so.

    Args:
        waveform: float32 `(samples, channels)`.
        depth: Samples this far below the largest are silent, dB.

    Returns:
        All of a recording that is silent throughout.

    Raises:
        KerasnasError: tensorflow-io is not installed.
    """
    size = np.abs(waveform).max(axis=1)
    limit = np.float32(size.max() * 10 ** (-depth / 20))
    start, stop = np.asarray(_audio("features.trim").trim(size, 0, limit))
    return slice(int(start), int(stop)) if start < stop else slice(0, len(waveform))


def needed_by(settings: RecordingFrontEnd) -> str | None:
    """Return the setting for which a front end needs tensorflow-io; None where it needs none."""
    if isinstance(settings, TfioLogMel):
        return "features.kind: tfio_log_mel"
    return None if settings.trim is None else "features.trim"


def check_installed(setting: str) -> None:
    """Refuse a setting that needs tensorflow-io where it is missing.

    Raises:
        KerasnasError: It is.
    """
    if find_spec("tensorflow_io") is None:
        raise KerasnasError(f"{setting} needs tensorflow-io: pip install 'kerasnas[tfio]'")


@lru_cache(maxsize=4)
def _batched(settings: TfioLogMel) -> Any:
    import tensorflow as tf

    signature = [tf.TensorSpec((None, settings.samples), tf.float32)]
    return tf.function(lambda x: _of(x, settings), signature, autograph=False)


def _of(waveforms: Any, settings: TfioLogMel) -> Any:
    return log_mel(
        waveforms,
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        window_length=settings.fft_window,
        hop_length=settings.hop_length,
        mel_bins=settings.mel_bins,
        fmin=settings.fmin,
        fmax=settings.highest,
        amin=settings.amin,
        top_db=settings.top_db,
    )


@cache
def _audio(setting: str) -> Any:
    """Return tensorflow-io's audio functions, for a setting that needs them.

    Raises:
        KerasnasError: It is not installed.
    """
    check_installed(setting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of plugins that do not load
        import tensorflow_io
    return tensorflow_io.audio
