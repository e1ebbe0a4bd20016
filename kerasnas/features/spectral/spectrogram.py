"""From a waveform to the logarithm of its filtered spectrogram."""

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.settings import Spectrogram


def log_spectrogram(
    waveform: Waveform,
    settings: Spectrogram,
    bank: NDArray[np.float32] | None,
    projection: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the logarithm of a spectrogram whose frequencies are gathered by a filter bank.

    Args:
        waveform: float32 `(samples, channels)` at `settings.sample_rate`, at least
            one frame long unless frames are centred.
        settings: The front end's parameters.
        bank: `(bins, n_fft // 2 + 1)`; None leaves all frequencies.
        projection: `(values, bins)`, what every frame's logarithms are multiplied by; None leaves
            them.

    Returns:
        float32 `(frames, values, channels)`, in dB or natural logarithms, finite for silence too;
        at least `settings.padded_frames` frames.
    """
    logarithms = _log(filtered_spectra(waveform, settings, bank), settings)
    if projection is not None:
        logarithms = np.einsum("vb,fbc->fvc", projection, logarithms, optimize=True)
    return settings.combined(logarithms)


def filtered_spectra(
    waveform: Waveform, settings: Spectrogram, bank: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return magnitudes or powers, gathered by a filter bank; arguments as in `log_spectrogram`.

    Returns:
        float32 `(frames, bins, channels)`, at least `settings.padded_frames` frames.
    """
    spectra = np.stack([_filtered(channel, settings, bank) for channel in waveform.T], axis=-1)
    silence = settings.padded_frames - len(spectra)
    if settings.segment_rest == "silence" and silence > 0:
        spectra = np.pad(spectra, ((0, silence), (0, 0), (0, 0)))
    return spectra


def _filtered(
    samples: NDArray[np.float32], settings: Spectrogram, bank: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return the filtered spectrum of one channel, `(frames, bins)`."""
    import librosa

    behind = settings.n_fft - settings.fft_window if settings.window_place == "start" else 0
    spectrum = librosa.stft(
        np.pad(samples, (0, behind)),
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        window=window(settings),
        center=settings.center,
        pad_mode="constant",
    )
    squares = spectrum.real**2 + spectrum.imag**2
    magnitudes = squares if settings.power == 2 else np.sqrt(squares)
    return np.asarray((magnitudes if bank is None else bank @ magnitudes).T)


def window(settings: Spectrogram) -> NDArray[np.float32]:
    """Return the window in its place in a transform, zeros around it: float32 `(n_fft,)`."""
    from librosa.filters import get_window
    from librosa.util import pad_center

    shape = get_window(settings.window, settings.fft_window)
    if settings.window_place == "start":
        return np.pad(shape, (0, settings.n_fft - len(shape))).astype(np.float32)
    return np.asarray(pad_center(shape, size=settings.n_fft), np.float32)


def _log(spectra: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Logarithm of `(frames, bins, channels)`; the largest value is that of all channels."""
    floored = np.maximum(spectra + np.float32(settings.log_offset), settings.amin)
    if settings.log == "log":
        return np.log(floored)
    reference = floored.max() if settings.ref == "max" else settings.ref
    decibels = np.float32(20 / settings.power) * np.log10(floored / np.float32(reference))
    if settings.top_db is None:
        return decibels
    return np.maximum(decibels, decibels.max() - np.float32(settings.top_db))
