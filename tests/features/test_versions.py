"""Clips in noise and in rooms: how loud, how repeatable, and of whose recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.datasets import load
from kerasnas.datasets.folder import FolderSettings
from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel, extract
from kerasnas.features.versions import (
    Version,
    excerpt,
    noisy,
    reverberated,
    sources,
    version_features,
)

RATE = 8000
SETTINGS = LogMel(sample_rate=RATE, seconds=0.5, n_fft=256, hop_length=128, mel_bins=16)


def write(path: Path, samples, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples), rate, "FLOAT")
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def street(tmp_path: Path, rng: np.random.Generator) -> Path:
    for number, seconds in enumerate((0.1, 3.0)):
        noise = 0.3 * rng.standard_normal(int(seconds * RATE))
        write(tmp_path / "street" / "by day" / f"{number}.wav", noise)
    return tmp_path / "street"


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    for label in "ab":
        for number in range(3):
            write(tmp_path / "data" / label / f"{number}.wav", 0.1 * rng.standard_normal(2400))
    return tmp_path / "data"


def level(samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("snr", [(-5.0, -5.0), (10.0, 10.0), (0.0, 20.0)])
def test_noise_lies_below_the_clips_own_samples_by_the_stated_ratio(street, rng, snr) -> None:
    clip = 0.1 * rng.standard_normal((2400, 1)).astype(np.float32)
    ratios = []
    for _ in range(20):
        mixed = noisy(clip, street, snr, SETTINGS, rng)
        assert mixed.shape == (SETTINGS.samples, 1) and mixed.dtype == np.float32
        added = mixed.copy()
        added[: len(clip)] -= clip
        assert level(added[3000:]) == pytest.approx(level(added), abs=1), "in the padding, too"
        ratios.append(level(clip) - level(added))
    assert snr[0] - 1e-3 <= min(ratios) and max(ratios) <= snr[1] + 1e-3
    assert np.ptp(ratios) > 0.5 * (snr[1] - snr[0]) - 1e-3


def test_silence_has_no_level_that_noise_could_lie_below(tmp_path, street, rng) -> None:
    clip = np.zeros((100, 1), np.float32)
    assert not noisy(clip, street, (5, 30), SETTINGS, rng).any()
    write(tmp_path / "still" / "0.wav", np.zeros(RATE))
    clip = np.ones((100, 1), np.float32)
    assert noisy(clip, tmp_path / "still", (5, 30), SETTINGS, rng).sum() == 100


def test_excerpts_come_from_all_over_a_recording_at_the_clips_rate(tmp_path, rng) -> None:
    stereo = np.tile(np.linspace(0, 1, 4 * 16000)[:, None], 2)  # 4 s at twice the rate
    path = write(tmp_path / "ramp.wav", stereo, 16000)
    starts = []
    for _ in range(40):
        part = excerpt(path, RATE // 2, RATE, rng)[:, 0]
        assert part.shape == (RATE // 2,)
        assert part[3000] - part[1000] == pytest.approx(2000 / (4 * RATE), rel=0.01)
        starts.append(part[100])
    assert min(starts) < 0.1 and max(starts) > 0.75
    short = write(tmp_path / "short.wav", np.arange(1, 1001) / 1000)
    assert excerpt(short, 2500, RATE, rng)[1500:2000, 0] == pytest.approx(
        np.arange(501, 1001) / 1000
    )


def test_a_room_keeps_the_level_and_when_the_sound_begins(tmp_path, rng) -> None:
    response = np.zeros(1200)
    response[200], response[600] = 0.5, 0.25  # the direct sound comes after 25 ms
    write(tmp_path / "rooms" / "hall.wav", response)
    clip = np.zeros((1000, 1), np.float32)
    clip[:100] = rng.standard_normal((100, 1))
    wet = reverberated(clip, tmp_path / "rooms", RATE, rng)
    assert level(wet[:1000]) == pytest.approx(level(clip), abs=1e-3)
    assert wet[400:500] == pytest.approx(wet[:100] / 2, abs=1e-5)
    assert wet[:100] / clip[:100] == pytest.approx(np.sqrt(0.8), rel=1e-3)
    assert len(wet) == 1999, "the response lasts into the padding"


def test_a_version_depends_on_its_seed_number_and_place_alone(data, street) -> None:
    path = data / "a" / "0.wav"

    def made(row: int = 0, **settings) -> np.ndarray:
        version = Version(noise=street, snr=(5, 30), **settings)
        return version_features(path, SETTINGS, version, row)

    np.testing.assert_array_equal(made(), made())
    for other in (made(row=1), made(number=1), made(seed=1)):
        assert (other != made()).any()


@pytest.mark.slow
def test_workers_make_the_same_versions_and_the_cache_keeps_them(data, street, tmp_path) -> None:
    clips = load(FolderSettings(), data)
    version = Version(noise=street)

    def run(cache: str, processes: int) -> np.ndarray:
        found = extract(clips, SETTINGS, tmp_path / cache, processes, False, version)
        return np.array(found)

    one = run("one", 1)
    np.testing.assert_array_equal(one, run("two", 2))
    entries = list((tmp_path / "one" / "features").iterdir())
    run("one", 1)
    assert list((tmp_path / "one" / "features").iterdir()) == entries
    plain = extract(clips, SETTINGS, tmp_path / "one", 1, False)
    assert (plain != one).any(axis=(1, 2, 3, 4)).all()


def test_other_noise_makes_other_features(data, street, tmp_path, rng) -> None:
    clips = load(FolderSettings(), data)
    version = Version(noise=street)
    first = extract(clips, SETTINGS, tmp_path / "cache", 1, False, version)
    sources.cache_clear()
    write(street / "by day" / "0.wav", np.sin(np.arange(4000)))
    write(street / "by day" / "1.wav", np.sin(np.arange(4000)))
    second = extract(clips, SETTINGS, tmp_path / "cache", 1, False, version)
    assert (first != second).any()


@pytest.mark.parametrize("how", ["link", "copy", "itself"])
def test_a_clip_of_the_data_set_is_no_noise(data, street, tmp_path, how) -> None:
    clip, folder = data / "b" / "1.wav", street
    if how == "link":
        (street / "renamed.wav").symlink_to(clip)
    elif how == "copy":
        (street / "renamed.wav").write_bytes(clip.read_bytes())
    else:
        folder = data / "b"
    clips = load(FolderSettings(), data)
    for version in (Version(noise=folder), Version(rooms=folder)):
        with pytest.raises(KerasnasError, match=r"are clips of the data set .*is b/1.wav"):
            extract(clips, SETTINGS, tmp_path / "cache", 1, False, version)


def test_noise_that_is_not_finite_is_refused(tmp_path, rng) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([0.1, np.nan, 0.2]), SETTINGS.sample_rate, subtype="FLOAT")
    with pytest.raises(KerasnasError, match=r"a\.wav: holds samples that are infinite"):
        excerpt(path, 3, SETTINGS.sample_rate, rng)


def test_hidden_files_are_no_noise(street) -> None:
    (street / "._0.wav").write_bytes(b"what a file system keeps beside a file")
    assert not any(path.name.startswith(".") for path in sources(street, "noise"))


def test_folders_without_recordings_are_refused(data, street, tmp_path) -> None:
    clips = load(FolderSettings(), data)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.wav").write_bytes(b"no sound")
    for folder, message in (
        ("nowhere", r"augmentation.noise.folder: .*nowhere does not exist"),
        ("empty", r"augmentation.noise.folder: .*empty holds no recordings"),
        ("data/a/0.wav", "is a file, not a directory"),
        ("broken", r"a\.wav: cannot be read as audio"),
    ):
        version = Version(noise=tmp_path / folder)
        with pytest.raises(KerasnasError, match=message):
            extract(clips, SETTINGS, tmp_path / "cache", 1, False, version)
    write(tmp_path / "still" / "0.wav", np.zeros(100))
    with pytest.raises(KerasnasError, match="is silent, and no room's impulse response"):
        extract(clips, SETTINGS, tmp_path, 1, False, Version(rooms=tmp_path / "still"))
