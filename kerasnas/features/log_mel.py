"""Log-mel spectrograms of waveforms of any length."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.settings import LogMel
from kerasnas.features.spectrogram import log_spectrogram


def log_mel(waveform: Waveform, settings: LogMel) -> NDArray[np.float32]:
    """Log-mel spectrogram of a waveform, of shapes and units as in `log_spectrogram`."""
    return log_spectrogram(waveform, settings, mel_filters(settings))


@lru_cache(maxsize=8)
def mel_filters(settings: LogMel) -> NDArray[np.float32]:
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
