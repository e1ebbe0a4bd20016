import os

import numpy as np
import pytest
import soundfile

from kerasnas.datasets import SyntheticSettings, data_settings, load
from kerasnas.datasets.synthetic.mixtures import (
    CLASSES,
    recording,
    recordings,
    write_csv,
    write_directories,
)
from kerasnas.datasets.synthetic.sounds import SOUNDS

SMALL = SyntheticSettings(clips=20, seconds=0.3, sample_rate=8000, folds=2)


def test_a_clip_depends_on_the_seed_and_its_number_alone():
    alone = recording(SMALL, 7)
    more = SMALL.model_copy(update={"clips": 1000})
    assert np.array_equal(alone.waveform, list(recordings(SMALL))[7].waveform)
    assert np.array_equal(alone.waveform, recording(more, 7).waveform)
    other = SMALL.model_copy(update={"seed": 1})
    assert not np.array_equal(alone.waveform, recording(other, 7).waveform)


def test_single_label_folds_hold_every_class():
    items = list(recordings(SMALL))
    for fold in ("1", "2"):
        assert sorted(item.labels[0] for item in items if item.fold == fold) == sorted(CLASSES)


def test_multi_label_clips_carry_one_to_three_tags():
    items = [recording(SMALL, index, multi_label=True) for index in range(60)]
    assert {len(item.labels) for item in items} == {1, 2, 3}
    assert {label for item in items for label in item.labels} == set(CLASSES)


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("name", sorted(SOUNDS))
def test_sounds_are_finite_and_audible_at_any_rate_and_length(name, rate):
    for samples in (rate // 8, rate):
        sound = SOUNDS[name](np.random.default_rng(0), samples, rate)
        assert sound.shape == (samples,)
        assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0.01


def test_classes_differ_where_they_should():
    """Spectral centroids and flatness put the caricatures where the real sounds are."""

    def centroid(name):
        values = []
        for seed in range(8):
            sound = SOUNDS[name](np.random.default_rng(seed), 16000, 16000)
            power = np.abs(np.fft.rfft(sound)) ** 2
            values.append(np.sum(np.fft.rfftfreq(16000, 1 / 16000) * power) / power.sum())
        return np.median(values)

    assert centroid("appliance_hum") < centroid("door_knock") < centroid("speech")
    assert centroid("speech") < centroid("running_water")
    assert centroid("vacuum_cleaner") < centroid("frying")
    assert centroid("door_knock") < centroid("dishes")


def test_load_generates_once_and_again_when_the_settings_change(tmp_path, monkeypatch):
    monkeypatch.delenv("KERASNAS_DATA", raising=False)
    settings = SMALL
    clips = load(settings, cache=tmp_path)
    assert len(clips) == 20
    assert set(clips.classes) == set(CLASSES)
    before = clips[0].path.stat().st_mtime_ns
    assert load(settings, cache=tmp_path) == clips
    assert clips[0].path.stat().st_mtime_ns == before
    other = load(settings.model_copy(update={"multi_label": True}), cache=tmp_path)
    assert other.root != clips.root
    assert other.multi_label
    assert not list((tmp_path / "data").glob(".*"))


def test_nothing_is_generated_among_the_users_recordings(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNAS_DATA", str(tmp_path / "recordings"))
    assert load(SMALL, cache=tmp_path).root.parent == tmp_path / "data"


def test_what_a_killed_run_left_is_removed_after_a_day(tmp_path):
    root = load(SMALL, tmp_path).root
    abandoned, young = tmp_path / f".{root.name}-old", tmp_path / f".{root.name}-young"
    for directory in (abandoned, young):
        directory.mkdir()
    os.utime(abandoned, (0, 0))
    root.rename(tmp_path / "elsewhere")
    load(SMALL, tmp_path)
    assert not abandoned.exists()
    assert young.exists()


def test_a_root_that_is_given_is_used(tmp_path):
    clips = load(SMALL, tmp_path)
    assert clips.root.parent == tmp_path


def test_written_layouts_hold_the_same_recordings(tmp_path):
    stereo = SMALL.model_copy(update={"channels": 2, "subtype": "PCM_24"})
    write_directories(tmp_path / "folder", stereo)
    write_csv(tmp_path / "csv", stereo)
    folder = load(data_settings(dataset="folder"), tmp_path / "folder")
    listed = load(data_settings(dataset="folder", csv="clips.csv"), tmp_path / "csv")
    assert folder.counts == listed.counts
    info = soundfile.info(listed[0].path)
    assert (info.channels, info.samplerate, info.subtype, info.frames) == (2, 8000, "PCM_24", 2400)
    samples = soundfile.read(listed[3].path)[0]
    assert np.abs(samples - recording(stereo, 3).waveform).max() < 2**-22
