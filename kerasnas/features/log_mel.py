"""Log-mel spectrograms of waveforms of any length."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.settings import LogMel


def log_mel(waveform: Waveform, settings: LogMel) -> NDArray[np.float32]:
    """Log-mel spectrogram of a waveform.

    Args:
        waveform: float32 `(samples, settings.file_channels)` at `settings.sample_rate`, at least
            `n_fft` samples long unless frames are centred.
        settings: The front end's parameters.

    Returns:
        float32 `(frames, bins, channels)`, in dB or natural logarithms, finite for silence too.
    """
    spectra = np.stack([_mel(channel, settings) for channel in waveform.T], axis=-1)
    logarithms = _log(spectra, settings)
    if settings.channels != "average_difference":
        return logarithms
    left, right = logarithms[..., 0], logarithms[..., 1]
    return np.stack([(left + right) / 2, left - right], axis=-1)


def _mel(samples: NDArray[np.float32], settings: LogMel) -> NDArray[np.float32]:
    """Mel spectrum of one channel, `(frames, bins)`."""
    import librosa

    spectrum = librosa.stft(
        np.ascontiguousarray(samples),
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.fft_window,
        window=settings.window,
        center=settings.center,
        pad_mode="constant",
    )
    squares = spectrum.real**2 + spectrum.imag**2
    magnitudes = squares if settings.power == 2 else np.sqrt(squares)
    return np.asarray((_mel_filters(settings) @ magnitudes).T)


def _log(spectra: NDArray[np.float32], settings: LogMel) -> NDArray[np.float32]:
    """Logarithm of `(frames, bins, channels)`; the largest value is that of all channels."""
    floored = np.maximum(spectra, settings.amin)
    if settings.log == "log":
        return np.log(floored)
    reference = floored.max() if settings.ref == "max" else settings.ref
    decibels = np.float32(20 / settings.power) * np.log10(floored / np.float32(reference))
    if settings.top_db is None:
        return decibels
    return np.maximum(decibels, decibels.max() - np.float32(settings.top_db))


@lru_cache(maxsize=8)
def _mel_filters(settings: LogMel) -> NDArray[np.float32]:
    """The filter bank, `(bins, n_fft // 2 + 1)`."""
    from librosa.filters import mel

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
