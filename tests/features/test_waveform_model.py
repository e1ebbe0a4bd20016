"""Embeddings by a model file: what it computes by arithmetic, window by window."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from kerasnas.datasets import data_settings, load
from kerasnas.errors import KerasnasError
from kerasnas.features import Embedding, describe, extract, front_end, of_file
from kerasnas.features.waveform_model import digest

RATE = 1000
WINDOW = 250
MATRIX = np.random.default_rng(0).normal(size=(WINDOW, 3)).astype(np.float32)
WAVE = np.random.default_rng(1).uniform(-1, 1, 900).astype(np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`window.tflite` takes 250 samples, `any.tflite` any number; both give products of windows."""
    import tensorflow as tf

    directory = tmp_path_factory.mktemp("models")
    products = [
        ("window", [WINDOW], lambda x: (x[None] + 0.0, tf.linalg.matmul(x[None], MATRIX))),
        ("any", [1, None], lambda x: tf.linalg.matmul(tf.reshape(x, [-1, WINDOW]), MATRIX)),
        ("pictures", [1, 8, 8], lambda x: x * 2.0),
    ]
    for name, shape, function in products:
        concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        (directory / f"{name}.tflite").write_bytes(converter.convert())
    return directory


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    for label, sign in (("a", 1), ("b", -1)):
        (tmp_path / "data" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "data" / label / "1.wav", sign * WAVE, RATE, subtype="FLOAT")
    return tmp_path / "data" / "a" / "1.wav"


def settings(model: Path, **values) -> Embedding:
    given = {"model": model, "frames": 4, "values": 3, "sample_rate": RATE, "seconds": 1.0}
    return Embedding.model_validate(given | values)


def windows(hop: int) -> np.ndarray:
    padded = np.pad(WAVE, (0, 100))
    return np.stack([padded[start : start + WINDOW] for start in range(0, 751, hop)])


@pytest.mark.parametrize("hop", [None, 0.125])
def test_every_window_gets_its_embedding(models: Path, recording: Path, hop) -> None:
    front = settings(
        models / "window.tflite", output=1, hop_seconds=hop, frames=4 if hop is None else 7
    )
    found = of_file(recording, front)
    assert found.shape == (1, *front.input_shape)
    expected = windows(WINDOW if hop is None else 125) @ MATRIX
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_a_file_of_any_length_gets_the_whole_clip(models: Path, recording: Path) -> None:
    found = of_file(recording, settings(models / "any.tflite"))
    np.testing.assert_allclose(found[0], windows(WINDOW) @ MATRIX, atol=1e-4)


def test_the_cache_knows_the_files_content(models: Path, recording: Path, tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    model.write_bytes((models / "any.tflite").read_bytes())
    clips = load(data_settings(dataset="folder"), recording.parents[1])
    front = settings(model)
    first = extract(clips, front, tmp_path / "cache", progress=False)
    assert first.shape == (2, 1, 4, 3)
    again = extract(clips, front, tmp_path / "cache", processes=2, progress=False)
    assert again.filename == first.filename
    model.write_bytes(model.read_bytes() + b"\0" * 16)
    other = extract(clips, front, tmp_path / "cache", progress=False)
    assert other.filename != first.filename
    assert describe(front)["sha256"] == digest(front)


def test_settings_survive_json(models: Path) -> None:
    front = settings(models / "any.tflite")
    assert front_end(json.loads(front.model_dump_json())) == front
    with pytest.raises(ValidationError, match="no .tflite file"):
        settings(Path("model.keras"))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("none", {}, "none.tflite: No such file"),
        ("pictures", {}, r"takes \[1, 8, 8\] float32: a waveform is needed"),
        ("any", {"output": 3}, "has 1 outputs; features: output is 3"),
        ("any", {"values": 5}, "gives 4 embeddings of 3 values .* values: 5"),
        ("window", {"seconds": 0.2}, "takes windows of 250 samples, .* has 200: raise seconds"),
    ],
)
def test_files_that_do_not_fit_are_explained(
    models: Path, recording: Path, name: str, values, message: str
) -> None:
    with pytest.raises(KerasnasError, match=message):
        of_file(recording, settings(models / f"{name}.tflite", **values))
