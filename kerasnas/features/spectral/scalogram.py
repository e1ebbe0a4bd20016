"""Scalograms: spectrograms gathered by wavelets instead of mel bands.

Wu & Lee, DCASE 2020, section 4.2, with the order of their published code: the bank is applied to
the power spectrogram, and the logarithm is taken of the result (the paper says the reverse).
"""

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.settings import Scalogram
from kerasnas.features.spectral.morlet import bank
from kerasnas.features.spectral.spectrogram import log_spectrogram


def scalogram(waveform: Waveform, settings: Scalogram) -> NDArray[np.float32]:
    """Scalogram of a waveform, of shapes and units as in `log_spectrogram`."""
    filters = bank(settings.n_fft, settings.octaves, settings.filters_per_octave)
    return log_spectrogram(waveform, settings, filters)
