"""What is measured of a recording: levels, clipping, silence, and what it is compared by."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.features import LogMel, clip_features, read
from kerasnas.features.audio import Header, read_header
from kerasnas.training.review.summaries import summarise

SECONDS = 10.0
"""Of each recording that are listened to."""

_RATE = 16_000
_FULL, _RUN = 0.999, 3  # a recording is clipped where so many samples in a row are full scale
_QUIET = -60.0  # dB of full scale
_PICTURE = (72, 40)  # frames and bins of a spectrogram, at most

Embed = Callable[[Path], NDArray[np.float32]]
"""From a recording to what it is compared by."""


@dataclass(frozen=True)
class Measured:
    """One recording.

    Attributes:
        header: Its length, rate and channels.
        peak: Highest level, dB of full scale; minus infinity of digital silence.
        level: Root of the mean square, dB of full scale.
        clipped: Share of samples in runs at full scale.
        statistics: What it is compared by.
        png: Its spectrogram, base64 text of a PNG file.
    """

    header: Header
    peak: float
    level: float
    clipped: float
    statistics: NDArray[np.float32]
    png: str

    @property
    def silent(self) -> bool:
        """Whether next to nothing is to be heard."""
        return self.peak < _QUIET

    def said(self) -> str:
        """Length and levels in words."""
        header = f"{self.header.seconds:.2f} s, {self.header.rate:,} Hz"
        peak = "digital silence" if np.isinf(self.peak) else f"peak {self.peak:.1f} dB"
        return f"{header}, {peak}"


def measure(path: Path, settings: LogMel, embed: Embed | None = None) -> Measured:
    """Listen to the beginning of a recording.

    Args:
        path: The recording.
        settings: Of the spectrogram that it is shown and, without `embed`, compared by.
        embed: What to compare it by instead.

    Raises:
        KerasnasError: It cannot be read.
    """
    header = read_header(path)
    size = np.abs(read(path, header.rate, None, seconds=SECONDS))
    peak, power = float(size.max()), float(np.mean(np.square(size, dtype=np.float64)))
    spectrum = clip_features(read(path, _RATE, 1, seconds=SECONDS), settings)
    known = summarise(spectrum[None], np.arange(1))[0] if embed is None else embed(path)
    return Measured(
        header, _decibels(peak), _decibels(power**0.5), _clipped(size), known, _picture(spectrum)
    )


def spectrogram(seconds: float) -> LogMel:
    """Return the settings of spectrograms of clips of so many seconds."""
    return LogMel(
        sample_rate=_RATE,
        seconds=min(SECONDS, max(0.1, seconds)),
        n_fft=512,
        hop_length=256,
        mel_bins=_PICTURE[1],
    )


def _decibels(value: float) -> float:
    return 20 * float(np.log10(value)) if value > 0 else -np.inf


def _clipped(size: NDArray[np.float32]) -> float:
    """Return which share of samples `(samples, channels)` lies in runs at full scale."""
    full = size >= _FULL
    if len(full) < _RUN or not full.any():
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(full, _RUN, axis=0)
    return float(windows.all(axis=-1).mean())


def _picture(spectrum: NDArray[Any]) -> str:
    """Return the picture of a spectrogram `(segments, frames, bins, channels)`."""
    from matplotlib import colormaps
    from PIL import Image

    values = np.concatenate(list(spectrum[..., 0]))
    step = -(-len(values) // _PICTURE[0])
    values = values[::step].T[::-1]  # time to the right, low bins below
    low, high = float(values.min()), float(values.max())
    shades = np.uint8(255 * (values - low) / (high - low or 1.0))
    image = Image.fromarray(np.ascontiguousarray(shades))
    image.putpalette((255 * colormaps["magma"](np.arange(256))[:, :3]).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
