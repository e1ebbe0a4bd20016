"""Per-channel energy normalisation of mel bands of waveforms of any length."""

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.mel_settings import Pcen
from kerasnas.features.spectral.log_mel import mel_filters
from kerasnas.features.spectral.spectrogram import filtered_spectra


def pcen(waveform: Waveform, settings: Pcen) -> NDArray[np.float32]:
    """Return normalised bands of a waveform, of shapes as in `log_spectrogram`."""
    import librosa

    spectra = filtered_spectra(waveform, settings, mel_filters(settings))
    normalised = librosa.pcen(
        spectra * np.float32(settings.scale),
        sr=settings.sample_rate,
        hop_length=settings.hop_length,
        gain=settings.gain,
        bias=settings.bias,
        power=settings.root,
        time_constant=settings.time_constant,
        eps=settings.floor,
        axis=0,
    )
    return settings.combined(np.asarray(normalised, np.float32))
