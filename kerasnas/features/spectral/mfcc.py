"""Mel-frequency cepstral coefficients of waveforms of any length."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.mel_settings import Mfcc
from kerasnas.features.spectral.log_mel import mel_filters
from kerasnas.features.spectral.spectrogram import log_spectrogram


def mfcc(waveform: Waveform, settings: Mfcc) -> NDArray[np.float32]:
    """Return cepstral coefficients of a waveform, of shapes as in `log_spectrogram`."""
    return log_spectrogram(waveform, settings, mel_filters(settings), cosines(settings))


@lru_cache(maxsize=8)
def cosines(settings: Mfcc) -> NDArray[np.float32]:
    """Return what log-mel bands are multiplied by, `(coefficients, mel_bins)`: orthonormal DCT-II.

    librosa computes it: the coefficients of one band at a time.
    """
    from librosa.feature import mfcc

    bands = np.eye(settings.mel_bins)
    found = mfcc(S=bands, n_mfcc=settings.coefficients, lifter=settings.lifter)
    return np.asarray(found, np.float32)
