"""Front ends that librosa makes: log-mel, MFCC and PCEN, over random settings."""

from typing import Any

import librosa
import numpy as np
import pytest
from numpy.random import Generator
from pydantic import ValidationError

from kerasnas.features import LogMel, Mfcc, Pcen, clip_features, front_end
from kerasnas.features.spectral.log_mel import log_mel
from kerasnas.features.spectral.mfcc import mfcc
from kerasnas.features.spectral.pcen import pcen
from tests.features.spectral.librosa_reference import mel_of_librosa

DRAWS = 12


def drawn(rng: Generator) -> dict[str, Any]:
    """Settings of a mel spectrogram."""
    n_fft = int(rng.choice([256, 400, 512, 1024]))
    rate = int(rng.choice([8000, 16000, 22050]))
    return {
        "sample_rate": rate,
        "seconds": 0.5,
        "n_fft": n_fft,
        "window_length": int(rng.integers(n_fft // 2, n_fft + 1)),
        "hop_length": int(rng.integers(60, 400)),
        "window": str(rng.choice(["hann", "hamming", "blackman", "boxcar"])),
        "center": bool(rng.integers(2)),
        "power": int(rng.integers(1, 3)),
        "mel_bins": int(rng.integers(20, 40)),
        "fmin": float(rng.uniform(0, 100)),
        "fmax": float(rng.uniform(0.3, 0.5) * rate),
        "htk": bool(rng.integers(2)),
        "mel_norm": rng.choice(["slaney", None]),
    }


def wave(rng: Generator, settings: LogMel | Mfcc | Pcen) -> np.ndarray:
    fading = np.geomspace(1, 1e-3, settings.samples)
    return (0.2 * fading * rng.standard_normal(settings.samples)).astype(np.float32)


def in_decibels(mel: np.ndarray, settings: LogMel | Mfcc) -> np.ndarray:
    to_db = librosa.power_to_db if settings.power == 2 else librosa.amplitude_to_db
    return to_db(mel, ref=1.0, amin=settings.amin, top_db=settings.top_db)


@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_log_mel_is_librosas_over_random_settings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        settings = LogMel.model_validate(drawn(rng))
        x = wave(rng, settings)
        expected = in_decibels(mel_of_librosa(x, settings), settings).T
        found = log_mel(x[:, None], settings)[..., 0]
        np.testing.assert_allclose(found, expected, atol=5e-3, err_msg=str(settings))


@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_cepstral_coefficients_are_librosas_over_random_settings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        lifter = float(rng.choice([0.0, 22.0]))
        count = int(rng.integers(1, 20))
        settings = Mfcc.model_validate({**drawn(rng), "coefficients": count, "lifter": lifter})
        x = wave(rng, settings)
        decibels = in_decibels(mel_of_librosa(x, settings), settings)
        expected = librosa.feature.mfcc(S=decibels, n_mfcc=count, lifter=lifter).T
        found = mfcc(x[:, None], settings)[..., 0]
        assert found.shape == (settings.clip_frames, count)
        np.testing.assert_allclose(found, expected, atol=0.02, rtol=1e-3, err_msg=str(settings))


@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_pcen_is_librosas_over_random_settings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        given = {
            "gain": float(rng.uniform(0.5, 1)),
            "bias": float(rng.uniform(0, 5)),
            "root": float(rng.uniform(0.1, 0.9)),
            "time_constant": float(rng.uniform(0.05, 1)),
        }
        settings = Pcen.model_validate({**drawn(rng), **given})
        x = wave(rng, settings)
        expected = librosa.pcen(
            mel_of_librosa(x, settings) * 2**31,
            sr=settings.sample_rate,
            hop_length=settings.hop_length,
            gain=given["gain"],
            bias=given["bias"],
            power=given["root"],
            time_constant=given["time_constant"],
            eps=settings.floor,
        ).T
        found = pcen(x[:, None], settings)[0][..., 0]
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3, err_msg=str(settings))


@pytest.mark.parametrize(("kind", "bins"), [("mfcc", 20), ("pcen", 64)])
def test_features_of_a_clip_have_the_shape_that_networks_see(kind: str, bins: int) -> None:
    settings = front_end({"kind": kind, "seconds": 0.5, "channels": "average_difference"})
    assert settings.input_shape == (settings.clip_frames, bins, 2)
    stereo = np.random.default_rng(0).normal(0, 0.1, (8000, 2)).astype(np.float32)
    features = clip_features(stereo, settings)
    assert features.shape == (1, *settings.input_shape)
    assert np.isfinite(clip_features(np.zeros((8000, 2), np.float32), settings)).all()
    assert front_end(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Mfcc, {"coefficients": 65}, "coefficients: 65 are more than mel_bins, 64"),
        (Pcen, {"top_db": 60}, "top_db is of a logarithm, and pcen takes none"),
        (Pcen, {"coefficients": 3}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense(kind: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind.model_validate(values)
