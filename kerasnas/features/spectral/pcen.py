"""Per-channel energy normalisation of mel bands of waveforms of any length."""

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform
from kerasnas.features.mel_settings import Pcen
from kerasnas.features.spectral.log_mel import mel_filters
from kerasnas.features.spectral.spectrogram import filtered_spectra


def pcen(
    waveform: Waveform, settings: Pcen, average: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return normalised bands of a waveform, of shapes as in `log_spectrogram`.

    Args:
        waveform: See there.
        settings: The front end's parameters.
        average: The moving average's state behind the sound before, as it was returned; None where
            there was none.

    Returns:
        The bands, and the state behind this sound, `(1, bins, channels)`.
    """
    import librosa

    spectra = filtered_spectra(waveform, settings, mel_filters(settings))
    normalised, after = librosa.pcen(
        spectra * np.float32(settings.scale),
        sr=settings.sample_rate,
        hop_length=settings.hop_length,
        gain=settings.gain,
        bias=settings.bias,
        power=settings.root,
        time_constant=settings.time_constant,
        eps=settings.floor,
        axis=0,
        zi=average,
        return_zf=True,
    )
    return settings.combined(np.asarray(normalised, np.float32)), after
