"""Log-mel spectrograms of waveforms of any length."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.settings import LogMel, Mel
from kerasnas.features.spectral.spectrogram import log_spectrogram


def log_mel(waveform: Waveform, settings: LogMel) -> NDArray[np.float32]:
    """Log-mel spectrogram of a waveform, of shapes and units as in `log_spectrogram`."""
    return log_spectrogram(waveform, settings, mel_filters(settings))


@lru_cache(maxsize=8)
def mel_filters(settings: Mel) -> NDArray[np.float32]:
    """Return the filter bank, `(bins, n_fft // 2 + 1)`."""
    from librosa.filters import mel

    if settings.mel_axis == "mel":
        return _triangles_on_mel(settings)
    return np.asarray(
        mel(
            sr=settings.sample_rate,
            n_fft=settings.n_fft,
            n_mels=settings.mel_bins,
            fmin=settings.fmin,
            fmax=settings.highest,
            htk=settings.htk,
            norm=settings.mel_norm,
        ),
        np.float32,
    )


def _triangles_on_mel(settings: Mel) -> NDArray[np.float32]:
    """Triangles of height 1, or of area 1 in Hz, whose sides are straight on the mel axis.

    Source: `tf.signal.linear_to_mel_weight_matrix`, with HTK's scale.
    """
    from librosa import hz_to_mel, mel_to_hz

    low, high = hz_to_mel([settings.fmin, settings.highest], htk=settings.htk)
    edges = np.linspace(low, high, settings.mel_bins + 2)
    hertz = np.arange(settings.n_fft // 2 + 1) * settings.sample_rate / settings.n_fft
    places, width = hz_to_mel(hertz, htk=settings.htk), edges[1] - edges[0]
    rising = (places - edges[:-2, None]) / width
    falling = (edges[2:, None] - places) / width
    bank = np.maximum(0, np.minimum(rising, falling))
    if settings.mel_norm == "slaney":
        ends = mel_to_hz(edges, htk=settings.htk)
        bank *= 2 / (ends[2:] - ends[:-2])[:, None]
    return bank.astype(np.float32)
