import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import get_window

from kerasnas.features import LogMel, clip_features, sliding
from kerasnas.features.clip_features import fit_length
from kerasnas.features.spectral.log_mel import log_mel
from tests.features.spectral.librosa_reference import mel_of_librosa


def noise(seconds=1.0, rate=16000, channels=1):
    wave = np.random.default_rng(0).standard_normal((round(seconds * rate), channels))
    return (0.1 * wave).astype(np.float32)


def librosa_log_mel(wave, settings):
    """librosa's own calls, one after another, as its documentation writes them."""
    import librosa

    mel = mel_of_librosa(wave, settings)
    to_db = librosa.power_to_db if settings.power == 2 else librosa.amplitude_to_db
    reference = np.max if settings.ref == "max" else settings.ref
    return to_db(mel, ref=reference, amin=settings.amin, top_db=settings.top_db).T


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"window": "hamming", "n_fft": 1024, "mel_bins": 128, "hop_length": 512},
        {"window_length": 400, "hop_length": 160, "n_fft": 512, "mel_bins": 40, "htk": True},
        {"center": False, "mel_norm": None, "fmin": 50.0, "fmax": 7000.0, "ref": "max"},
        {"power": 1, "ref": 0.5, "amin": 1e-5, "top_db": 60.0},
        {"top_db": None},
    ],
)
def test_equals_librosa(values):
    settings = LogMel.model_validate(values)
    wave = noise() * np.linspace(1, 1e-4, 16000, dtype=np.float32)[:, None]
    ours = log_mel(wave, settings)
    theirs = librosa_log_mel(wave[:, 0], settings)
    assert ours.dtype == np.float32
    assert ours.shape == (*theirs.shape, 1)
    assert ours.shape[0] == settings.clip_frames
    assert np.abs(ours[..., 0] - theirs).max() < 2e-3  # dB


def htk_mel(frequency):
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def test_equals_the_formula():
    """The textbook's steps in NumPy: frames, window, Fourier transform, HTK triangles, decibels."""
    settings = LogMel(htk=True, mel_norm=None, fmin=20.0, mel_bins=32, top_db=None)
    wave = noise()
    padded = np.pad(wave[:, 0].astype(np.float64), 512)
    starts = range(0, len(padded) - 1023, 256)
    frames = np.stack([padded[start : start + 1024] for start in starts])
    power = np.abs(np.fft.rfft(frames * get_window("hann", 1024))) ** 2
    corners = 700 * (10 ** (np.linspace(htk_mel(20), htk_mel(8000), 34) / 2595) - 1)
    bins = np.arange(513) * 16000 / 1024
    triangles = np.stack(
        [np.interp(bins, corners[b : b + 3], [0, 1, 0], left=0, right=0) for b in range(32)]
    )
    expected = 10 * np.log10(np.maximum(power @ triangles.T, 1e-10))
    assert np.abs(log_mel(wave, settings)[..., 0] - expected).max() < 2e-3


def test_natural_logarithm():
    settings = LogMel(log="log", amin=1e-6)
    decibels = log_mel(noise(), LogMel(top_db=None))
    assert np.allclose(log_mel(noise(), settings), decibels * np.log(10) / 10, atol=1e-4)


def test_a_tone_lies_in_its_band():
    time = np.arange(16000) / 16000
    wave = np.sin(2 * np.pi * 1000 * time).astype(np.float32)[:, None]
    settings = LogMel(htk=True, mel_bins=64)
    band = np.argmax(log_mel(wave, settings).mean(axis=(0, 2)))
    centre = htk_mel(8000) * (band + 1) / 65
    assert abs(centre - htk_mel(1000)) < htk_mel(8000) / 65


@pytest.mark.parametrize("values", [{}, {"ref": "max"}, {"log": "log"}, {"power": 1}])
def test_silence_is_finite(values):
    features = log_mel(np.zeros((16000, 1), np.float32), LogMel.model_validate(values))
    assert np.isfinite(features).all()
    assert np.ptp(features) == 0


def test_average_and_difference_of_two_channels():
    wave = noise(channels=2) * [1.0, 0.1]
    wave = wave.astype(np.float32)
    stereo = log_mel(wave, LogMel(channels="stereo"))
    combined = log_mel(wave, LogMel(channels="average_difference"))
    assert np.allclose(combined[..., 0], stereo.mean(axis=-1), atol=1e-4)
    assert np.allclose(combined[..., 1], stereo[..., 0] - stereo[..., 1], atol=1e-4)
    assert 18 < combined[..., 1].mean() < 22  # ten times the amplitude is 20 dB


@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.7])
@pytest.mark.parametrize(
    "values",
    [{}, {"center": False}, {"segment_frames": 20}, {"segment_frames": 20, "segment_hop": 7}],
)
def test_every_clip_has_the_same_shape(seconds, values):
    settings = LogMel.model_validate(values)
    features = clip_features(noise(seconds), settings)
    assert features.shape == (settings.segments, *settings.input_shape)


def test_segments_are_cut_out_of_the_whole_clip():
    settings = LogMel(segment_frames=20, segment_hop=15)
    whole = log_mel(noise(), settings)
    segments = clip_features(noise(), settings)
    assert len(segments) == settings.segments == 1 + (63 - 20) // 15
    for number, segment in enumerate(segments):
        assert np.array_equal(segment, whole[15 * number : 15 * number + 20])


def test_short_clips_are_filled_up():
    wave = np.arange(1, 4, dtype=np.float32)[:, None]
    zeros = LogMel(sample_rate=1000, seconds=0.008, n_fft=16, mel_bins=4, hop_length=4)
    assert fit_length(wave, zeros)[:, 0].tolist() == [1, 2, 3, 0, 0, 0, 0, 0]
    repeat = zeros.model_copy(update={"pad": "repeat"})
    assert fit_length(wave, repeat)[:, 0].tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert fit_length(np.arange(10.0)[:, None], zeros)[:, 0].tolist() == list(range(8))


def test_sliding_covers_a_recording_of_any_length():
    settings = LogMel()
    wave = noise(3.3)
    windows = list(sliding([wave], settings, hop_seconds=0.5))
    assert [window.start for window in windows] == [0, 0.5, 1, 1.5, 2, 2.3]
    assert [round(window.stop - window.start, 6) for window in windows] == [1.0] * 6
    assert np.array_equal(windows[2].waveform, wave[16000:32000])
    (short,) = sliding([noise(0.4)], settings)
    assert (short.start, short.stop) == (0, 0.4)
    (exact,) = sliding([noise(1.0)], settings)
    assert (exact.start, exact.stop) == (0, 1)


@pytest.mark.parametrize(("seconds", "clips"), [(1.001, 1), (1.05, 1), (1.06, 2), (2.04, 2)])
def test_a_recording_barely_longer_than_its_clips_has_no_further_one(seconds, clips):
    windows = list(sliding([noise(seconds)], LogMel()))
    assert [window.start for window in windows[:1]] == [0]
    assert len(windows) == clips


@pytest.mark.parametrize("hop", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("block", [700, 16000, 40000])
def test_sliding_takes_a_recording_in_parts(hop, block):
    wave = noise(5.33)
    parts = [wave[start : start + block] for start in range(0, len(wave), block)]
    windows = list(sliding(parts, LogMel(), hop))
    assert [round(window.start / hop, 6) for window in windows[:-1]] == [*range(len(windows) - 1)]
    assert windows[-1].stop == len(wave) / 16000
    for window in windows:
        expected = wave[round(window.start * 16000) : round(window.stop * 16000)]
        assert np.array_equal(window.waveform, expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_length": 2048}, "window_length: 2048 is above n_fft, 1024"),
        ({"fmax": 9000}, "half the sample rate, 8000 Hz"),
        ({"fmin": 5000, "fmax": 4000}, "must rise"),
        ({"ref": 0.0}, "ref: 0 is not above 0"),
        ({"segment_hop": 5}, "segment_hop needs segment_frames"),
        ({"segment_frames": 64}, "more than a clip of 1 s has, 63"),
        ({"center": False, "seconds": 0.05}, "not enough for one transform"),
        ({"mel_bin": 64}, "mel_bin"),
        ({"power": 3}, "power"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(ValidationError, match=message):
        LogMel.model_validate(values)
