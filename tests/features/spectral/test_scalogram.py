"""Scalograms: the filter bank against wavelets written down in time, and against kymatio."""

import librosa
import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.features.morlet import bank, filters
from kerasnas.features.settings import Scalogram
from kerasnas.features.spectral.scalogram import scalogram

# Wu & Lee's: 2048 samples, scale 2^10, 16 filters per octave.
PAPER = {"octaves": 10, "filters_per_octave": 16}
N_FFT = 2048
FRONT_END = Scalogram(
    sample_rate=48000,
    channels="average_difference",
    seconds=0.5,
    n_fft=N_FFT,
    window_length=1200,
    hop_length=480,
    window="hamming",
    **PAPER,
)


@pytest.fixture(scope="module")
def responses():
    return bank(N_FFT, **PAPER)


def in_time(centre: float, width: float) -> np.ndarray:
    """A Morlet wavelet's definition: a wave under a Gaussian window, less the window's share that
    makes its sum zero, sampled, and repeated with a period of `N_FFT` samples."""
    t = np.arange(-8 * N_FFT, 8 * N_FFT)
    window = np.exp(-2 * (np.pi * width * t) ** 2)
    wave = window * np.exp(2j * np.pi * centre * t)
    window, wave = (part.reshape(16, N_FFT).sum(axis=0) for part in (window, wave))
    wavelet = wave - window * wave.sum() / window.sum() if centre else window
    return wavelet / np.abs(wavelet).sum()


def test_responses_are_those_of_wavelets_in_time(responses):
    for row, (centre, width) in enumerate(zip(*filters(**PAPER), strict=True)):
        expected = np.fft.fft(in_time(centre, width))[: N_FFT // 2 + 1]
        assert np.abs(expected.imag).max() < 1e-6
        np.testing.assert_allclose(responses[row], expected.real, atol=1e-6)


def test_there_are_128_filters_16_an_octave_that_cross_at_half_power(responses):
    centres, widths = (np.array(values) for values in filters(**PAPER))
    assert responses.shape == (128, N_FFT // 2 + 1)
    assert FRONT_END.bins == 128
    steps = np.diff(np.log2(centres[16:]))
    np.testing.assert_allclose(steps, 1 / 16)
    low, high = centres[16:-1], centres[17:]
    crossing = (low * widths[17:] + high * widths[16:-1]) / (widths[16:-1] + widths[17:])
    powers = np.exp(-(((crossing - low) / widths[16:-1]) ** 2))
    np.testing.assert_allclose(powers, 0.5)


# kymatio 0.2.1, scattering_filter_factory(11, 10, 16): its first-order filters read backwards,
# behind the lowpass.
KYMATIO = {
    (1, 1): 0.9999999999937538,
    (15, 7): 0.9999626521315806,
    (60, 55): 0.20155564918469446,
    (127, 957): 0.9997550380989892,
}


@pytest.mark.parametrize("place", KYMATIO)
def test_responses_are_kymatios(responses, place):
    assert responses[place] == pytest.approx(KYMATIO[place], abs=1e-7)


def test_a_tone_is_where_its_filter_is():
    centres = np.array(filters(**PAPER).centres)
    t = np.arange(24000) / 48000
    for row in (60, 90, 120):
        tone = np.sin(2 * np.pi * centres[row] * 48000 * t).astype(np.float32)[:, None]
        features = scalogram(np.repeat(tone, 2, axis=1), FRONT_END)
        assert features.shape == (51, 128, 2)
        assert (features[5:-5, :, 0].argmax(axis=1) == row).all()
        assert not features[..., 1].any()  # no difference between equal channels


def test_the_logarithm_may_come_first_as_the_text_prints_it(responses):
    rng = np.random.default_rng(1)
    wave = np.repeat(rng.normal(size=(24000, 1)).astype(np.float32), 2, axis=1)
    printed = FRONT_END.model_copy(update={"logarithm": "before_bank", "top_db": None})
    features = scalogram(wave, printed)[..., 0]
    stft = librosa.stft(
        wave[:, 0], n_fft=N_FFT, hop_length=480, win_length=1200, window="hamming",
        pad_mode="constant",
    )  # fmt: skip
    expected = (responses @ (20 * np.log10(np.maximum(np.abs(stft), 1e-5)))).T
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=0.05)
    ours = scalogram(wave, FRONT_END.model_copy(update={"top_db": None}))[..., 0]
    assert np.abs(features - ours).max() > 10


def test_average_and_difference_are_of_decibels():
    rng = np.random.default_rng(0)
    left = rng.normal(size=(24000, 1)).astype(np.float32)
    settings = FRONT_END.model_copy(update={"top_db": None})
    features = scalogram(np.hstack([left, left / 10]), settings)
    np.testing.assert_allclose(features[..., 1], 20, atol=1e-3)  # a tenth is 20 dB below
    alone = scalogram(np.hstack([left, left]), settings)
    np.testing.assert_allclose(features[..., 0], alone[..., 0] - 10, atol=1e-3)


def test_the_rest_of_a_clip_in_a_segment_with_silence():
    # The paper's 1000 frames of ten seconds hold 7 segments of 128; its authors' code fills an 8th.
    clip = {**FRONT_END.model_dump(), "seconds": 10, "segment_frames": 128, "ref": "max"}
    dropped = Scalogram.model_validate(clip)
    filled = Scalogram.model_validate({**clip, "segment_rest": "silence"})
    assert (dropped.segments, filled.segments) == (7, 8)
    assert dropped.input_shape == filled.input_shape == (128, 128, 2)
    wave = np.random.default_rng(0).normal(size=(480_000, 2)).astype(np.float32)
    features = scalogram(wave, filled)
    assert features.shape == (1024, 128, 2)
    assert (features[1001:, :, 0] == -80).all()
    assert not features[1001:, :, 1].any()
    np.testing.assert_allclose(features[:1001], scalogram(wave, dropped), atol=1e-4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"octaves": 11, "n_fft": 1024}, "octaves: 11 are filters of 2\\^11 samples, more than"),
        ({"segment_rest": "silence"}, "segment_rest needs segment_frames"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(ValidationError, match=message):
        Scalogram.model_validate(values)
