"""Shuffling and mixing: what new clips are made of, and that a killed process goes on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.errors import KerasnasError
from kerasnas.features import LogMel, clip_features
from kerasnas.training import mixing
from kerasnas.training.examples import Examples
from kerasnas.training.mixing import Joined, mixed, plan, shuffled
from kerasnas.training.recipe import ShufflingAndMixing

FRONT_END = LogMel(sample_rate=8000, seconds=0.2, n_fft=128, hop_length=80, mel_bins=8)
LABELS = ("bell", "bell", "dog", "dog", "dog", "dog")


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    rng = np.random.default_rng(0)
    made = []
    for number, label in enumerate(LABELS):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.2 * rng.standard_normal(1600), 8000, "FLOAT")
        made.append(Clip(path.name, path, (label,)))
    return Clips(tuple(made), ("bell", "dog"), False, "small", tmp_path)


def test_classes_are_filled_up_to_their_counts_from_the_given_clips(clips: Clips) -> None:
    among = np.array([0, 1, 3, 4])
    mixes = plan(clips.targets(), among, {0: 5, 1: 2}, pieces=4, seed=0)
    assert [mix.label for mix in mixes] == [0, 0, 0]  # two of each are there
    for mix in mixes:
        assert sorted(mix.clips) == [0, 1]
        assert [sorted(order) for order in mix.orders] == [[0, 1, 2, 3]] * 2
    assert plan(clips.targets(), among, {0: 5}, 4, seed=0) == mixes
    assert plan(clips.targets(), among, {0: 5}, 4, seed=1) != mixes
    # More of them leave the first ones as they are.
    assert plan(clips.targets(), among, {0: 9}, 4, seed=0)[:3] == mixes


def test_pieces_change_places_and_the_rest_stays() -> None:
    waveform = np.arange(11, dtype=np.float32)[:, None]
    expected = [6, 7, 8, 0, 1, 2, 3, 4, 5, 9, 10]
    np.testing.assert_array_equal(shuffled(waveform, (2, 0, 1))[:, 0], expected)


def test_a_new_clip_is_the_sum_of_two_shuffled_ones(clips: Clips, tmp_path: Path) -> None:
    settings = ShufflingAndMixing(clips={"bell": 3}, pieces=2, seed=4)
    found = mixed(clips, np.arange(6), settings, FRONT_END, tmp_path / "cache")
    assert found.features.shape == (1, 1, *FRONT_END.input_shape)
    assert found.labels.tolist() == [0]
    (mix,) = plan(clips.targets(), np.arange(6), {0: 3}, 2, 4)
    halves = [soundfile.read(clips[index].path, dtype="float32")[0] for index in mix.clips]
    total = sum(
        np.concatenate([half[800:], half[:800]]) if order == (1, 0) else half
        for half, order in zip(halves, mix.orders, strict=True)
    )
    expected = clip_features(total[:, None], FRONT_END)
    np.testing.assert_allclose(found.features[0], expected, rtol=1e-4, atol=1e-3)


def test_a_killed_process_goes_on_and_makes_the_same(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "PART", 2)
    settings = ShufflingAndMixing(clips={"bell": 7})
    whole = mixed(clips, np.arange(6), settings, FRONT_END, tmp_path / "one").features
    made, original = [], mixing.mix_features

    def counted(clips, mix, front_end):
        made.append(mix)
        if len(made) == 4:
            raise KeyboardInterrupt
        return original(clips, mix, front_end)

    monkeypatch.setattr(mixing, "mix_features", counted)
    with pytest.raises(KeyboardInterrupt):
        mixed(clips, np.arange(6), settings, FRONT_END, tmp_path / "two")
    again = mixed(clips, np.arange(6), settings, FRONT_END, tmp_path / "two").features
    assert len(made) == 4 + 3  # of five, two were kept
    np.testing.assert_array_equal(again, whole)
    mixed(clips, np.arange(6), settings, FRONT_END, tmp_path / "two")
    assert len(made) == 7


def test_wrong_classes_are_named(clips: Clips, tmp_path: Path) -> None:
    def ask(**counts: int) -> None:
        mixed(clips, np.arange(2), ShufflingAndMixing(clips=counts), FRONT_END, tmp_path)

    with pytest.raises(KerasnasError, match="no class cat; the data set has bell, dog"):
        ask(cat=3)
    with pytest.raises(KerasnasError, match="no training clip is of dog"):
        ask(dog=3)


def test_joined_arrays_read_as_one() -> None:
    first, second = np.arange(24.0).reshape(3, 2, 2, 2, 1), -np.arange(16.0).reshape(2, 2, 2, 2, 1)
    targets = np.eye(5, dtype=np.float32)
    joined = Examples.of_clips(Joined(first, second), targets, np.array([4, 0, 3]))
    whole = Examples.of_clips(np.concatenate([first, second]), targets, np.array([4, 0, 3]))
    rows = np.array([5, 0, 2, 3, 3])
    np.testing.assert_array_equal(joined.x(rows), whole.x(rows))
