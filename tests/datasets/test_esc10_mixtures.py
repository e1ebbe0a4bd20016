"""The example that mixes taggable clips from ESC-10, on recordings made here."""

import importlib.util
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kerasnas.datasets import data_settings, load
from kerasnas.errors import KerasnasError

EXAMPLE = Path(__file__).parents[2] / "examples" / "esc10_mixtures.py"
FOLDS = ("1", "2", "3")


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("esc10_mixtures", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def esc10(example, tmp_path_factory):
    """Two sources a class and fold, of 3 and 5 seconds, the last half second of them silent."""
    root = tmp_path_factory.mktemp("esc10")
    (root / "audio").mkdir()
    (root / "meta").mkdir()
    rng = np.random.default_rng(0)
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in FOLDS:
        for target, category in enumerate((*example.TAGS, "helicopter")):
            for seconds in (3, 5):
                source = f"{fold}{target}{seconds}"
                name = f"{fold}-{source}-A-{target}.wav"
                sound = rng.normal(0, 0.1, seconds * 8000)
                sound[-4000:] = 0
                soundfile.write(root / "audio" / name, sound, 8000)
                lines.append(f"{name},{fold},{target},{category},True,{source},A")
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return root


def test_mixtures_hold_up_to_three_recordings_of_one_fold_and_segment(example, esc10):
    found = list(example.mixtures(esc10, 20, "3", 2, 0))
    assert len(found) == 60
    assert {len(mixture.chunk.tags) for mixture in found} == {1, 2, 3}
    sources = defaultdict(set)
    for mixture in found:
        tags = [example.TAGS[clip.labels[0]] for clip in mixture.sources]
        assert sorted(tags) == sorted(set(mixture.chunk.tags))
        assert len({clip.fold for clip in mixture.sources}) == 1
        assert (mixture.chunk.fold is None) == (mixture.sources[0].fold == "3")
        assert mixture.waveform.shape == (64000,)
        assert 0.05 < np.abs(mixture.waveform).max() <= 0.9
        segment = mixture.chunk.name.rpartition("_chunk")[0]
        for clip in mixture.sources:
            sources[clip.group].add(segment)
    assert all(len(segments) == 1 for segments in sources.values())
    assert len(set.union(*sources.values())) == 6


def test_a_mixture_depends_on_the_seed_and_its_number_alone(example, esc10):
    few, more, other = (
        next(example.mixtures(esc10, chunks, "3", 2, seed))
        for chunks, seed in ((1, 0), (5, 0), (1, 1))
    )
    assert np.array_equal(few.waveform, more.waveform)
    assert not np.array_equal(few.waveform, other.waveform)


def test_what_can_be_heard_is_kept(example):
    sound = np.zeros(7 * 16000, np.float32)
    sound[5 * 16000 : 5 * 16000 + 800] = 1  # a click near the end
    for seed in range(10):
        assert example.excerpt(sound, np.random.default_rng(seed)).sum() == 800


def test_the_layout_is_read_as_chime_home(example, esc10, tmp_path):
    example.write(esc10, tmp_path, chunks=10, evaluation_fold="2")
    settings = data_settings(dataset="chime_home", evaluation=True)
    clips = load(settings, tmp_path)
    assert len(clips) == 30
    assert clips.folds == ("0", "1")
    assert sum(clip.split == "test" for clip in clips) == 10
    info = soundfile.info(clips[0].path)
    assert (info.samplerate, info.channels, info.duration) == (16000, 1, 4.0)


def test_an_unknown_fold_is_named(example, esc10):
    with pytest.raises(KerasnasError, match=r"no fold 7 in .*: 1, 2, 3"):
        next(example.mixtures(esc10, 1, "7", 2, 0))
