"""Scalograms: spectrograms gathered by wavelets instead of mel bands.

Wu & Lee, DCASE 2020, section 4.2, by default with the order of their published code: the bank is
applied to the power spectrogram, and the logarithm is taken of the result. The paper's text says
the reverse, which is `logarithm: before_bank`.
"""

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.morlet import bank
from kerasnas.features.settings import Scalogram
from kerasnas.features.spectral.spectrogram import log_spectrogram


def scalogram(waveform: Waveform, settings: Scalogram) -> NDArray[np.float32]:
    """Return the scalogram of a waveform, of shapes and units as in `log_spectrogram`."""
    filters = bank(settings.n_fft, settings.octaves, settings.filters_per_octave)
    if settings.logarithm == "before_bank":
        return log_spectrogram(waveform, settings, None, filters)
    return log_spectrogram(waveform, settings, filters)
