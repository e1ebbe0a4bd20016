import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import CheckFailed, ExportError, ExportSettings, export, layer_errors, load
from kerasnas.export.convert.lowering import CALIBRATION, Candidate, convert_candidate
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.graph import TfliteFile

from .conftest import CLASSES, SHAPE, Exported, Trained

pytestmark = pytest.mark.slow


def _export(trained: Trained, directory: Path, **changes) -> dict:
    settings = {"formats": ("float16",), "latency_runs": 1, "repeat": False}
    settings |= changes.pop("settings", {})
    arguments = {
        "calibration": trained.train_x,
        "test_x": trained.test_x,
        "test_y": trained.test_y,
        "classes": CLASSES,
        "settings": ExportSettings(**settings),
    }
    model = changes.pop("model", trained.path)
    return export(model, directory, **(arguments | changes)).report


def _failed(report: dict) -> list[str]:
    return [check["name"] for check in report["checks"] if check["verdict"] == "failed"]


def _total(entry: dict) -> int:
    return sum(entry["operators"].values())


def test_files_agree_with_the_model(trained: Trained, exported: Exported):
    segments = trained.test_x.reshape(-1, *SHAPE)
    expected = trained.model.predict(segments, verbose=0)
    labels = trained.test_y.argmax(axis=1)
    right = expected.reshape(30, 2, 3).mean(axis=1).argmax(axis=1) == labels
    assert right.mean() > 0.8, "the network has learnt something that can be lost"
    for name, limit in (("float16", 0.01), ("int8", 0.1)):
        scores = load(exported.directory / f"model_{name}.tflite").predict(segments)
        np.testing.assert_allclose(scores, expected, atol=limit)
        np.testing.assert_array_equal(exported.scores[name], scores)
        entry = exported.report["files"][name]
        assert entry["largest_difference"] == pytest.approx(np.abs(scores - expected).max(), 1e-5)
        decided = scores.reshape(30, 2, 3).mean(axis=1).argmax(axis=1)
        assert entry["accuracy"] == pytest.approx((decided == labels).mean())
    assert exported.report["accuracy"]["keras"] == pytest.approx(right.mean())


def test_the_report_describes_the_files(exported: Exported):
    report = exported.report
    assert json.loads((exported.directory / "export.json").read_text()) == report
    assert (exported.directory / "labels.txt").read_text().splitlines() == list(CLASSES)
    # Without a difference, 30 clips prove no more than that 8 points are lost at most.
    assert report["verdict"] == "not proven"
    for name, entry in report["files"].items():
        content = (exported.directory / entry["file"]).read_bytes()
        assert entry["bytes"] == len(content)
        # Of so small a file, a hundredth is less than what padding makes uncertain.
        expected = pytest.approx(len(content), rel=0.02, abs=300)
        assert entry["predicted_bytes"] == expected
        assert entry["minimum_runtime"].count(".") == 2
        assert entry["verdict"] == "not proven"
        assert entry["counted_bytes"] == entry["bytes"] < entry["stock_bytes"]
        assert entry["delegated"] == {
            "share": pytest.approx(1 - sum(entry["delegated"]["left"].values()) / _total(entry)),
            "left": {"AVERAGE_POOL_2D": 1, "SOFTMAX": 1} if name == "int8" else {},
            "parts": 3 if name == "int8" else 1,
            "estimated": False,
        }
        assert entry["latency_ms"]["p95"] >= entry["latency_ms"]["median"] > 0
        # Three convolutions of two kinds and one dense layer, however they are stored.
        operators = {key.split(":")[0]: count for key, count in entry["operators"].items()}
        kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC", "ADD")
        assert [operators[kind] for kind in kinds] == [3, 1, 1, 3, 1], name
    assert report["files"]["int8"]["float_operators"] == {}
    assert report["files"]["float16"]["float_operators"]["CONV_2D"] == 3


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("name", "form"),
    [pytest.param("float16", "float16", marks=pytest.mark.nightly), ("int8", "full_int8")],
)
def test_the_same_model_gives_the_same_bytes_in_another_process(
    trained: Trained, exported: Exported, tmp_path: Path, name: str, form: Any
):
    np.save(tmp_path / CALIBRATION, trained.train_x[np.arange(48), np.arange(48) % 2])
    again = tmp_path / f"{name}.tflite"
    convert_candidate(trained.path, Candidate(form), again, tmp_path, ExportSettings())
    assert again.read_bytes() == (exported.directory / f"model_{name}.tflite").read_bytes()


def test_a_file_over_budget_fails_and_stays(trained: Trained, tmp_path: Path):
    with pytest.raises(CheckFailed, match=r"model_float16.tflite has [\d,]+ bytes, .* 1,000"):
        _export(trained, tmp_path, settings={"budget": 1000})
    report = json.loads((tmp_path / "export.json").read_text())
    assert _failed(report) == ["budget"]
    assert load(tmp_path / "model_float16.tflite").input_shape == SHAPE


def test_lost_agreement_is_noticed_and_can_be_only_reported(trained: Trained, tmp_path: Path):
    report = _export(
        trained,
        tmp_path,
        calibration=trained.train_x[:2] * 1e-4,  # ranges that real clips are far outside of
        settings={"formats": ("int8",), "on_fail": "report"},
    )
    assert report["verdict"] == report["files"]["int8"]["verdict"] == "failed"
    assert _failed(report) == ["agreement", "accuracy"]
    failed = next(check for check in report["checks"] if check["name"] == "agreement")
    assert failed["received"] < failed["required"] == 0.98
    assert "; the error grows most in layer '" in failed["message"]


def test_a_model_in_memory_and_several_tags(trained: Trained, tmp_path: Path):
    tags = trained.test_y.copy()
    tags[:, 0] = 1
    report = _export(trained, tmp_path, model=trained.model, test_y=tags, task="multi_label")
    decided = trained.model.predict(trained.test_x.reshape(-1, *SHAPE), verbose=0)
    decided = decided.reshape(30, 2, 3).mean(axis=1) >= 0.5
    assert report["accuracy"]["keras"] == pytest.approx(np.mean(decided == (tags > 0)))


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"time_limit": 0.3}, r"converting .*model.keras to float16 took more than 0.3 s"),
        ({"memory_limit": 30_000_000}, r"converting .*model.keras to float16 held [\d,]+ bytes"),
    ],
)
def test_a_conversion_over_its_limits_leaves_no_file(
    trained: Trained, tmp_path: Path, limit: dict, message: str
):
    with pytest.raises(ExportError, match=message):
        _export(trained, tmp_path / "export", settings=limit)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("low", "high")}, r"2 labels \(low, high\) .* 3 outputs"),
        ({"classes": ("low", "low", "high")}, "different lines"),
        ({"classes": ("low", "mid\u2028dle", "high")}, "different lines"),
        ({"test_y": np.ones((30, 2))}, r"shape \(30, 2\): .* = \(30, 3\) or indices"),
        ({"test_y": np.arange(30)}, "index 29: the model has 3 classes, counted from 0"),
        ({"task": "several"}, "task='several' is not known: use single_label, multi_label"),
        ({"calibration": None, "settings": {"formats": ("int8",)}}, "int8 needs .* calibration="),
        ({"test_x": None}, "test_y= and waveform= need the test clips, in test_x="),
        ({"test_x": np.zeros((30, 8, 8, 1))}, r"shape \(30, 8, 8, 1\)"),
        ({"test_x": np.full((30, *SHAPE), np.nan)}, "test clips have values that are not finite"),
        (
            {"calibration": np.zeros((0, *SHAPE)), "settings": {"formats": ("int8",)}},
            "no calibration clips",
        ),
        (
            {"calibration": np.ones((4, *SHAPE)), "settings": {"formats": ("int8",)}},
            "all values of the calibration clips are 1",
        ),
    ],
)
def test_unusable_data_are_refused_before_converting(
    trained: Trained, tmp_path: Path, changes: dict, message: str
):
    with pytest.raises(ExportError, match=message):
        _export(trained, tmp_path / "export", **changes)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_to_is_refused_at_once(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        for path in (tmp_path / name, tmp_path / name / "export"):
            with pytest.raises(ExportError, match=f"{path} cannot .*/{name} is no directory"):
                _export(trained, path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root, too
    with pytest.raises(ExportError, match=f"a/b cannot be written to: {tmp_path} is read-only"):
        _export(trained, tmp_path / "a" / "b")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


@pytest.mark.usefixtures("processes")
def test_an_earlier_export_survives_a_failed_one(
    trained: Trained, exported: Exported, tmp_path: Path
):
    directory = tmp_path / "export"
    shutil.copytree(exported.directory, directory)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(ExportError, match="took more than"):
        _export(trained, directory, settings={"time_limit": 0.3})
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def _recurrent(layer: Any, frames: int) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((frames, 9, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layer(layers.Reshape((frames, 36))(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    randomize(model, np.random.default_rng(1))
    return model


def _clips(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(12, 1, 9, 1)) + rng.normal(size=(12, frames, 9, 1))).astype(np.float32)


def test_a_recurrent_network_is_integer_and_the_report_names_its_forms(tmp_path: Path):
    from keras import layers

    x = _clips(40)
    model = _recurrent(layers.Bidirectional(layers.GRU(24), name="memory"), 40)
    report = export(
        model,
        tmp_path,
        calibration=x,
        test_x=x,
        test_y=np.eye(3, dtype=np.float32)[np.arange(12) % 3],
        classes=CLASSES,
        settings=ExportSettings(latency_runs=1, agreement=0.5, on_fail="report", repeat=False),
    ).report
    half, whole = report["files"]["float16"], report["files"]["int8"]
    assert (half["form"], half["recurrent"]) == ("float16", "while")
    assert (whole["form"], whole["recurrent"]) == ("full_int8", "int8_loop")
    assert whole["float_operators"] == {} != half["float_operators"]
    assert half["failed_forms"] == whole["failed_forms"] == []
    assert half["slow"] is None and "gates and states of int16" in whole["slow"]
    for entry in (half, whole):
        assert abs(entry["prediction_error"]) < 0.03
    stateless = [check for check in report["checks"] if check["name"] == "stateless"]
    assert [check["verdict"] for check in stateless] == ["passed", "passed"]
    assert half["delegated"]["estimated"] and whole["delegated"]["estimated"]
    for entry in (half, whole):  # a loop keeps no tensor for those of its outputs that nobody reads
        errors = layer_errors(model, tmp_path / entry["file"], x)
        assert "memory" in [error.layer for error in errors]


def test_a_recurrent_layer_without_integers_keeps_int8_weights(tmp_path: Path):
    from keras import layers

    x = _clips(40)
    model = _recurrent(layers.SimpleRNN(12, activation="elu", name="memory"), 40)
    entry = export(
        model,
        tmp_path,
        calibration=x,
        test_x=x,
        test_y=np.eye(3, dtype=np.float32)[np.arange(12) % 3],
        classes=CLASSES,
        settings=ExportSettings(
            formats=("int8",), latency_runs=1, agreement=0.5, repeat=False, on_fail="report"
        ),
    ).report["files"]["int8"]
    assert (entry["form"], entry["recurrent"]) == ("int8_weights", "while")
    assert entry["float_operators"]["WHILE"] == 1
    assert entry["predicted_bytes"] is None
    (failure,) = entry["failed_forms"]
    assert "'memory' has no loop of integers" in failure
    # All kernels are small, and still in int8: convolution, cell (two) and dense layer.
    file = TfliteFile((tmp_path / entry["file"]).read_bytes())
    tensors = [graph.existing(n) for graph in file.graphs for n in range(len(graph.t.tensors))]
    assert [tensor.kind for tensor in tensors].count("int8") == 4
    assert entry["bytes"] < len(convert(model, "float16", None, "while").content)
