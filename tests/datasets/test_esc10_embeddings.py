"""The example that makes embeddings of ESC-10, on recordings made here."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kerasnas.datasets import SyntheticSettings, data_settings, load
from kerasnas.datasets.synthetic.mixtures import CLASSES, write_esc50
from kerasnas.errors import KerasnasError

EXAMPLE = Path(__file__).parents[2] / "examples" / "esc10_embeddings.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("esc10_embeddings", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shards_hold_the_folds_and_their_embeddings(example, tmp_path: Path) -> None:
    settings = SyntheticSettings(clips=20, seconds=0.5, sample_rate=8000, folds=2)
    write_esc50(tmp_path / "esc10", settings)
    example.write(tmp_path / "esc10", tmp_path / "out", "2")
    clips = load(data_settings(dataset="audioset", multi_label=True), tmp_path / "out", tmp_path)
    recordings = load(data_settings(dataset="esc50", esc10=True), tmp_path / "esc10")
    assert clips.classes == recordings.classes and len(clips) == len(recordings) == 10
    test = [clip.id for clip in clips if clip.split == "test"]
    assert test == [f"{clip.group}_0" for clip in recordings if clip.fold == "2"]
    by_id = {clip.id: clip.labels for clip in clips}
    assert by_id == {f"{clip.group}_0": clip.labels for clip in recordings}
    assert {label for clip in clips for label in clip.labels} == set(CLASSES[::2])
    with pytest.raises(KerasnasError, match="no fold 7 in .*: 1, 2"):
        example.write(tmp_path / "esc10", tmp_path / "out", "7")


def test_an_embedding_is_the_compressed_cosine_transform_of_its_patches(example) -> None:
    log_mel = np.random.default_rng(0).uniform(-80, 0, (501, 64)).astype(np.float32)
    codes = example.embedding(log_mel)
    assert codes.shape == (10, 128) and codes.dtype == np.uint8
    # Written out for patch 3: an orthonormal transform has products of cosines as its rows.
    patch = log_mel[3 * 48 : 3 * 48 + 96].astype(np.float64) / 40 + 1
    for time, frequency in ((0, 0), (0, 5), (7, 0), (4, 15)):
        rows = []
        for order, length in ((time, 96), (frequency, 64)):
            cosine = np.cos(np.pi * order * (np.arange(length) + 0.5) / length)
            rows.append(cosine / np.linalg.norm(cosine))
        value = rows[0] @ patch @ rows[1]
        compressed = np.sign(value) * np.log1p(abs(value)) / np.log1p(np.sqrt(96 * 64))
        assert codes[3, 16 * time + frequency] == round(128 + 127 * compressed)
    silent, loud = (np.full((501, 64), level, np.float32) for level in (-80, 0))
    assert example.embedding(silent)[0, 0] == 1 and example.embedding(loud)[0, 0] == 255
