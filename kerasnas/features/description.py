"""What an app must know to compute the same features, and a sound to check it against."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kerasnas.features.clip_features import clip_features
from kerasnas.features.embedding_settings import Embedding, StoredEmbedding
from kerasnas.features.extraction.stored import dequantized
from kerasnas.features.front_ends import FrontEnd
from kerasnas.features.morlet import filters
from kerasnas.features.settings import Mel, Scalogram
from kerasnas.features.waveform_model import digest

_LOWEST = 20.0  # Hz


def describe(settings: FrontEnd) -> dict[str, Any]:
    """Every parameter of the front end with all defaults resolved, as JSON data.

    Everything but the matrix of filters. `sample_rate`, `n_fft`, `mel_bins`, `fmin`, `fmax`, `htk`,
    `mel_axis` and `mel_norm` determine that of mel bands (librosa's `filters.mel`; for `mel_axis:
    mel`, TensorFlow's `linear_to_mel_weight_matrix`); of wavelets there are the centres and widths,
    cycles per sample (`kerasnas.features.morlet.bank`). Of a model file, its SHA-256.
    """
    given = settings.model_dump(mode="json", exclude={"storage"})
    if isinstance(settings, Embedding | StoredEmbedding):
        shape = {"segments": 1, "input_shape": list(settings.input_shape)}
        if isinstance(settings, StoredEmbedding):
            return {**given, **shape}
        return {**given, "sha256": digest(settings), "samples": settings.samples, **shape}
    bank: dict[str, Any]
    if isinstance(settings, Mel):
        bank = {"fmax": settings.highest}
    elif isinstance(settings, Scalogram):
        bank = filters(settings.octaves, settings.filters_per_octave)._asdict()
    else:
        raise TypeError(f"features of kind {settings.kind} have no description")
    return {
        **given,
        "window_length": settings.fft_window,
        **bank,
        "segment_frames": settings.input_shape[0],
        "segment_hop": settings.segment_hop or settings.input_shape[0],
        "samples": settings.samples,
        "clip_frames": settings.clip_frames,
        "segments": settings.segments,
        "input_shape": list(settings.input_shape),
    }


def golden(settings: FrontEnd) -> dict[str, Any]:
    """Return a made-up sound and its features, to check another implementation against.

    It is no clip of the data set: apps ship the file that holds it, which is no place for anybody's
    recordings.

    Returns:
        `waveform`: int16 `(samples, channels)`, full scale 32768, at the front end's sample rate
        and of the clip length, without silent ends; `features`: float32 `(segments, frames, bins,
        channels)` of exactly these samples. Each is `{"dtype", "shape", "base64"}`, little-endian,
        last axis fastest.

    Of stored embeddings there is `codes` instead of `waveform`: every byte in turn, uint8
    `(frames, values)`.
    """
    if isinstance(settings, StoredEmbedding):
        codes = np.resize(np.arange(256, dtype=np.uint8), settings.input_shape)
        features = dequantized(codes, settings)[None]
        return {"codes": encode(codes), "features": encode(features)}
    samples = _sound(settings.sample_rate, settings.samples, settings.file_channels)
    with threadpool_limits(1, user_api="blas"):  # the last bits depend on the number of threads
        features = clip_features(samples.astype(np.float32) / np.float32(32768), settings)
    return {"waveform": encode(samples), "features": encode(features)}


def _sound(rate: int, count: int, channels: int) -> NDArray[np.int16]:
    """Return a tone that rises through all bands, in noise of its own in every channel."""
    highest = rate / 2
    frequencies = _LOWEST * (highest / _LOWEST) ** (np.arange(count) / count)
    tone = 0.5 * np.sin(2 * np.pi * np.cumsum(frequencies) / rate)
    noise = 0.05 * np.random.default_rng(0).standard_normal((count, channels))
    scaled = np.rint((tone[:, None] + noise) * 32768)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def encode(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array as JSON data; `decode` is its inverse."""
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": data}


def decode(data: dict[str, Any]) -> NDArray[Any]:
    """Return the array that `encode` wrote."""
    dtype = np.dtype(data["dtype"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(data["base64"]), dtype).reshape(data["shape"])
