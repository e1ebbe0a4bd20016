"""Silent ends that are cut: where they lie, and that everyone who reads a clip cuts them alike."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from kerasnas.datasets import Clip, Clips
from kerasnas.datasets.survey import SILENT, levels_of
from kerasnas.features import LogMel, extract, golden, of_file, tfio
from kerasnas.features.clip_features import sounding
from kerasnas.features.description import decode
from kerasnas.features.versions import Version
from kerasnas.flow.commands.predict import Predictor
from kerasnas.flow.task.excerpts import excerpt
from kerasnas.training.mixing import Mix, mix_features

pytest.importorskip("tensorflow_io")
pytestmark = pytest.mark.slow  # each may be the first to import TensorFlow

RATE = 8000
WHOLE = LogMel(sample_rate=RATE, seconds=0.25, n_fft=256, hop_length=100, mel_bins=8)
CUT = WHOLE.model_copy(update={"trim": 40.0})
BEFORE, BEHIND = 4000, 1200


def word(seed: int = 0, samples: int = 1500) -> NDArray[np.float32]:
    """Noise that is loud from its first sample to its last."""
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)
    noise[[0, -1]] = -0.3
    return noise


def written(path: Path, wave: NDArray[np.float32], silence: bool = True) -> Path:
    """Write a recording; `silence` lies before it for longer than a clip is, and behind it."""
    ends = (BEFORE, BEHIND) if silence else (0, 0)
    soundfile.write(path, np.pad(wave, [ends] + [(0, 0)] * (wave.ndim - 1)), RATE, "FLOAT")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A recording with silent ends, and the same sound without."""
    return (
        written(tmp_path / "padded.wav", word()),
        written(tmp_path / "bare.wav", word(), silence=False),
    )


def table(*paths: Path) -> Clips:
    clips = tuple(Clip(path.name, path, ("a",)) for path in paths)
    return Clips(clips, ("a",), False, "some", paths[0].parent)


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        ({0: [(400, 401, 0.5)]}, (400, 401)),  # an impulse
        ({0: [(300, 500, -0.5)]}, (300, 500)),  # no sample is above zero
        ({0: [(200, 300, -0.1)], 1: [(600, 700, 0.5)]}, (200, 700)),  # a channel at either end
        ({0: [(0, 10, 0.1)], 1: [(990, 1000, -0.1)]}, (0, 1000)),  # no silent end
        ({}, (0, 1000)),  # silent throughout
        ({0: [(100, 900, 0.004), (400, 500, 1.0)]}, (400, 500)),  # -48 dB is silent
        ({0: [(100, 900, 0.02), (400, 500, 1.0)]}, (100, 900)),  # and -34 dB is not
    ],
)
def test_where_a_recording_sounds(
    sounds: dict[int, list[tuple[int, int, float]]], expected: tuple[int, int]
) -> None:
    wave = np.zeros((1000, 2), np.float32)
    for channel, parts in sounds.items():
        for start, stop, value in parts:
            wave[start:stop, channel] = value
    found = tfio.sound(wave, 40)
    assert (found.start, found.stop) == expected


def test_a_survey_finds_the_same_ends() -> None:
    rng = np.random.default_rng(1)
    waves = [np.geomspace(1e-5, 1, 500)[:, None] * rng.normal(size=(500, 2)) for _ in range(5)]
    waves = [np.concatenate([wave, wave[::-2]]).astype(np.float32) for wave in waves]
    ends = levels_of(waves, 1).ends
    for wave, (before, behind) in zip(waves, ends, strict=True):
        found = tfio.sound(wave, SILENT)
        assert before > 0 < behind
        assert (found.start, found.stop) == (before, len(wave) - behind)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_features_are_those_of_the_sound_alone(
    pair: tuple[Path, Path], tmp_path: Path, processes: int
) -> None:
    expected = of_file(pair[1], WHOLE)
    found = extract(table(*pair), CUT, tmp_path / "cache", processes, progress=False)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], expected)
    np.testing.assert_array_equal(of_file(pair[0], CUT), expected)


def test_the_cache_keeps_cut_clips_apart(pair: tuple[Path, Path], tmp_path: Path) -> None:
    entries = [
        Path(extract(table(*pair), settings, tmp_path, progress=False).filename)
        for settings in (WHOLE, CUT, CUT.model_copy(update={"trim": 30.0}), CUT)
    ]
    assert len(set(entries)) == 3 and entries[1] == entries[3]
    assert '"tensorflow-io"' in (entries[1].parent / "about.json").read_text()
    silent = np.load(entries[0])[0]
    assert np.ptp(silent) == 0, "what is before the sound is longer than a clip"


def test_rooms_and_channels_are_of_the_same_sound(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    written(tmp_path / "rooms" / "room.wav", word(3, 200), silence=False)
    version = Version(rooms=tmp_path / "rooms")
    cut, bare = (
        extract(table(path), settings, tmp_path, progress=False, version=version)
        for path, settings in ((pair[0], CUT), (pair[1], WHOLE))
    )
    np.testing.assert_array_equal(cut, bare)
    stereo = {"channels": "average_difference", "kind": "log_mel"}
    wave = np.stack([word(1), 0.5 * word(2)], axis=1)
    cut, bare = (
        of_file(written(tmp_path / f"{ends}.wav", wave, ends), front.model_copy(update=stereo))
        for front, ends in ((CUT, True), (WHOLE, False))
    )
    np.testing.assert_array_equal(cut, bare)


def test_clips_that_are_mixed_are_cut_first(pair: tuple[Path, Path]) -> None:
    mix = Mix(0, (0, 0), ((1, 0), (0, 1)))
    cut, bare = mix_features(table(pair[0]), mix, CUT), mix_features(table(pair[1]), mix, WHOLE)
    np.testing.assert_array_equal(cut, bare)


def test_the_made_up_sound_has_no_silent_ends() -> None:
    found = golden(CUT)
    np.testing.assert_array_equal(decode(found["waveform"]), decode(golden(WHOLE)["waveform"]))
    waveform = decode(found["waveform"]).astype(np.float32) / 32768
    assert sounding(waveform, CUT) == slice(0, len(waveform))


def test_predictions_are_of_the_same_clips_at_their_times(pair: tuple[Path, Path]) -> None:
    heard: list[NDArray[np.float32]] = []

    def answer(features: NDArray[np.float32]) -> NDArray[np.float32]:
        heard.append(features)
        return np.ones((len(features), 1), np.float32)

    def predicted(path: Path, settings: LogMel) -> tuple[tuple[float, float], ...]:
        network = SimpleNamespace(input_shape=settings.input_shape, predict=answer)
        predictor = Predictor(Path("a.tflite"), settings, ("a",), network, None, True)
        return predictor.predict(path).times

    start = BEFORE / RATE
    (times,) = predicted(pair[0], CUT)
    assert times == pytest.approx((start, start + 1500 / RATE))
    (times,) = predicted(pair[1], WHOLE)
    assert times == pytest.approx((0, 1500 / RATE))
    np.testing.assert_array_equal(*heard)


def test_excerpts_of_a_report_are_what_was_heard(tmp_path: Path) -> None:
    path = written(tmp_path / "long.wav", word(0, 5000))
    found = excerpt(path, CUT)
    assert (found.start, found.stop) == pytest.approx((0.5, 0.75), abs=0.01)
    found = excerpt(path, CUT, where=(0.1, 0.2))
    assert (found.start, found.stop) == pytest.approx((0.6, 0.7), abs=0.01)
