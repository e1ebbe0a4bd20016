"""librosa's own mel spectrogram, which front ends are held against."""

import librosa
import numpy as np

from kerasnas.features import LogMel, Mfcc, Pcen


def mel_of_librosa(x: np.ndarray, settings: LogMel | Mfcc | Pcen) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=x,
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.window_length,
        window=settings.window,
        center=settings.center,
        power=settings.power,
        n_mels=settings.mel_bins,
        fmin=settings.fmin,
        fmax=settings.fmax,
        htk=settings.htk,
        norm=settings.mel_norm,
    )
