"""Any Keras model: without labels, without test clips, and for tasks other than classes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings, export, load, verify

pytestmark = pytest.mark.slow

QUICK = {"latency_runs": 1, "repeat": False, "on_fail": "report"}


def _dense(outputs: int, activation: str, *, in_a_dictionary: bool = False) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,))
    x = layers.Dense(16, activation="relu")(inputs)
    scores = layers.Dense(outputs, activation=activation)(x)
    return keras.Model(inputs, {"scores": scores} if in_a_dictionary else scores, name="tagger")


def _clips(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 2, (count, *shape)).astype(np.float32)


def _failed(report: dict) -> list[str]:
    return [check["name"] for check in report["checks"] if check["verdict"] == "failed"]


def test_a_plain_conversion_needs_calibration_clips_alone(tmp_path: Path):
    model, x = _dense(3, "softmax", in_a_dictionary=True), _clips(40, 12)
    (tmp_path / "labels.txt").write_text("of\nan\nearlier\n")
    result = export(model, str(tmp_path), calibration=x, settings=ExportSettings(**QUICK))
    report = result.report
    assert result.files == {
        "float16": tmp_path / "model_float16.tflite",
        "int8": tmp_path / "model_int8.tflite",
    }
    assert {path.name for path in tmp_path.iterdir()} == {
        "model_float16.tflite",
        "model_int8.tflite",
        "export.json",
    }
    assert all(verify(path) for path in result.files.values())
    assert report["classes"] is None
    assert report["clips"] == {"test": 0, "calibration": 40}
    assert report["held_on"] == "calibration clips"
    assert report["accuracy"] == {"keras": None, "float16": None, "int8": None}
    assert report["verdict"] == result.verdict == "passed"
    assert not {"accuracy", "budget"} & {check["name"] for check in report["checks"]}
    expected = model.predict(x, verbose=0)["scores"]
    np.testing.assert_allclose(load(result.files["int8"]).predict(x), expected, atol=0.05)
    for shown in (repr(result), result._repr_html_()):
        assert "model_int8.tflite" in shown and "full_int8" in shown and "passed" in shown
    assert result._repr_html_().count("<tr>") == 3


def test_float16_needs_no_clips_at_all(tmp_path: Path):
    settings = ExportSettings(formats=("float16",), **QUICK)
    report = export(_dense(3, "softmax"), tmp_path, settings=settings).report
    assert report["held_on"] == "examples of noise"
    assert report["files"]["float16"]["agreement"] == 1.0


@pytest.mark.usefixtures("processes")
def test_messages_name_the_model(tmp_path: Path):
    hasty = ExportSettings(formats=("float16",), time_limit=0.1, **QUICK)
    with pytest.raises(ExportError) as error:
        export(_dense(3, "softmax"), tmp_path / "files", settings=hasty)
    assert str(error.value).startswith("converting the model 'tagger' to float16 took more than")
    assert "raise the time limit" in str(error.value)
    assert not (tmp_path / "files").exists()


def test_a_model_of_indices_needs_clips(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((6,))
    x = layers.GlobalAveragePooling1D()(layers.Embedding(20, 4)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x), name="words")
    settings = ExportSettings(formats=("float16",), **QUICK)
    with pytest.raises(ExportError, match=r"'words' cannot score noise .* give some in test_x="):
        export(model, tmp_path, settings=settings)
    words = np.random.default_rng(0).integers(20, size=(8, 6)).astype(np.float32)
    report = export(model, tmp_path, test_x=words, settings=settings).report
    assert report["files"]["float16"]["agreement"] == 1.0


def test_a_changed_file_is_refused_wherever_it_is_opened(tmp_path: Path):
    from kerasnas.export import benchmark

    settings = ExportSettings(formats=("float16",), **QUICK)
    (path,) = export(_dense(3, "softmax"), tmp_path, settings=settings).files.values()
    figures = benchmark([path], runs=2)
    assert path.name in repr(figures) and path.name in figures._repr_html_()
    path.write_bytes(path.read_bytes() + b"\0")
    for open_ in (load, lambda path: benchmark([path], runs=2)):
        with pytest.raises(ExportError, match=r"float16\.tflite is not the file that was exported"):
            open_(path)
    assert load(path.rename(tmp_path / "mine.tflite")).input_shape == (12,)


@pytest.mark.parametrize(
    ("task", "activation", "failed"),
    [("binary", "sigmoid", "error"), ("regression", "linear", "error")],
)
def test_wrong_ranges_of_one_number_are_noticed(
    tmp_path: Path, task: Any, activation: str, failed: str
):
    model, x = _dense(1, activation), _clips(200, 12)
    labels = np.asarray(model(x))[:, 0]
    if task == "binary":
        labels = labels > 0.5
    arguments: Any = {"test_x": x, "test_y": labels, "task": task}
    arguments["settings"] = ExportSettings(formats=("int8",), **QUICK)
    good = export(model, tmp_path / "good", calibration=x[:40], **arguments).report
    assert _failed(good) == []
    bad = export(model, tmp_path / "bad", calibration=x[:40] / 50, **arguments).report
    assert failed in _failed(bad)
    assert good["files"]["int8"]["error"]["share"] < 0.02 < bad["files"]["int8"]["error"]["share"]
    with pytest.raises(ExportError, match=r"one number is task='binary' .* task='regression'"):
        export(model, tmp_path / "none", calibration=x[:40])


def test_scores_of_frames_are_exported_and_compared_frame_by_frame(tmp_path: Path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    inputs = keras.Input((10, 6))
    x = layers.GRU(8, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
    clips = _clips(30, 10, 6)
    expected = np.asarray(model(clips))
    result = export(
        model,
        tmp_path,
        calibration=clips[:12],
        test_x=clips,
        test_y=expected.argmax(axis=-1),
        classes=("a", "b", "c", "d"),
        task="sequence",
        settings=ExportSettings(agreement=0.9, **QUICK),
    )
    for name, limit in (("float16", 0.01), ("int8", 0.1)):
        scores = load(result.files[name]).predict(clips)
        assert scores.shape == (30, 10, 4)
        np.testing.assert_allclose(scores, expected, atol=limit)
        same = np.mean(scores.argmax(axis=-1) == expected.argmax(axis=-1))
        entry = result.report["files"][name]
        assert entry["agreement"] == entry["accuracy"] == pytest.approx(same)
        assert "agreement" not in _failed(result.report)
    assert result.report["files"]["int8"]["recurrent"] == "int8_loop"
    assert "gates and states of int16" in repr(result)
    assert json.loads((tmp_path / "export.json").read_text()) == result.report
