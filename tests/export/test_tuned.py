import gzip
import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings, export

from .conftest import CLASSES, Exported, Trained

pytestmark = pytest.mark.slow


def _export(trained: Trained, directory: Path, **settings) -> dict:
    labels = np.eye(len(CLASSES), dtype=np.float32)[np.arange(len(trained.train_x)) % len(CLASSES)]
    return export(
        trained.path,
        directory,
        calibration=trained.train_x,
        test_x=trained.test_x,
        test_y=trained.test_y,
        classes=CLASSES,
        train=(trained.train_x, labels),
        settings=ExportSettings(
            latency_runs=1, repeat=False, tuning_epochs=4, on_fail="report", **settings
        ),
    ).report


def test_pruning_makes_zeros_that_the_files_and_the_rule_see(
    trained: Trained, exported: Exported, tmp_path: Path
):
    report = _export(trained, tmp_path, sparsity=0.5, rule="dcase2020", formats=("int8",))
    model = keras.models.load_model(tmp_path / "model_tuned.keras", compile=False)
    kernels = [
        layer.kernel for layer in model.layers if type(layer).__name__ in ("Conv2D", "Dense")
    ]
    for kernel in map(np.asarray, kernels):
        assert abs(np.mean(kernel == 0) - 0.5) <= 1 / kernel.size
    assert abs(report["tuning"]["zeros"]["tuned"] - 0.5) < 0.01 > report["tuning"]["zeros"]["given"]
    for name, entry in report["files"].items():
        without = entry["without_tuning"]
        content = (tmp_path / entry["file"]).read_bytes()
        assert entry["gzip_bytes"] == len(gzip.compress(content, mtime=0))
        assert entry["gzip_bytes"] < without["gzip_bytes"]
        assert entry["counted_bytes"] < 0.8 * without["counted_bytes"]
        assert without["bytes"] == exported.report["files"][name]["bytes"]
        assert without["accuracy"] == exported.report["files"][name]["accuracy"]
    tuned = model.predict(trained.test_x.reshape(-1, *trained.test_x.shape[2:]), verbose=0)
    right = tuned.reshape(len(trained.test_y), 2, -1).mean(axis=1).argmax(axis=1)
    assert report["tuning"]["accuracy"] == np.mean(right == trained.test_y.argmax(axis=1))
    assert [c["name"] for c in report["checks"] if c["file"] == "model_tuned.keras"] == ["accuracy"]
    assert report == json.loads((tmp_path / "export.json").read_text())


def test_training_with_rounding_moves_the_weights_and_is_held_against_both_files(
    trained: Trained, exported: Exported, tmp_path: Path
):
    report = _export(trained, tmp_path, qat=2, formats=("int8",))
    model = keras.models.load_model(tmp_path / "model_tuned.keras", compile=False)
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D", "Dense"):
            before = np.asarray(trained.model.get_layer(layer.name).kernel)
            assert 0 < np.abs(np.asarray(layer.kernel) - before).max() < 0.1
    entry = report["files"]["int8"]
    assert entry["form"] == "full_int8"
    assert entry["without_tuning"]["accuracy"] == exported.report["files"]["int8"]["accuracy"]
    assert report["tuning"]["zeros"]["tuned"] < 0.01
    assert min(entry["accuracy"], report["tuning"]["accuracy"]) > 0.8


def test_clustering_leaves_few_values_and_files_that_compress(
    trained: Trained, exported: Exported, tmp_path: Path
):
    report = _export(trained, tmp_path, clusters=8)
    model = keras.models.load_model(tmp_path / "model_tuned.keras", compile=False)
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "Dense") and math.prod(layer.kernel.shape) > 8:
            before = np.asarray(trained.model.get_layer(layer.name).kernel)
            assert len(np.unique(np.asarray(layer.kernel))) <= 8 < len(np.unique(before))
    assert report["tuning"]["values"]["tuned"] <= 8 < report["tuning"]["values"]["given"]
    for name, entry in report["files"].items():
        without = entry["without_tuning"]
        assert entry["gzip_bytes"] < 0.9 * without["gzip_bytes"]
        assert without["gzip_bytes"] == exported.report["files"][name]["gzip_bytes"]
        assert entry["accuracy"] > 0.8
    assert report["tuning"]["accuracy"] > 0.8


def test_fine_tuning_needs_training_clips_with_their_labels(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    arguments = {
        "calibration": trained.train_x,
        "test_x": trained.test_x,
        "test_y": trained.test_y,
        "classes": CLASSES,
        "settings": ExportSettings(sparsity=0.5),
    }
    with pytest.raises(ExportError, match=r"training clips and labels to fine-tune on, in train="):
        export(trained.path, tmp_path, **arguments)
    with pytest.raises(ExportError, match=r"labels of the training clips have shape \(3, 3\)"):
        export(trained.path, tmp_path, train=(trained.train_x, np.eye(3)), **arguments)
    arguments["settings"] = ExportSettings(sparsity=0.5, qat=1)
    with pytest.raises(ExportError, match="sparsity and qat exclude each other"):
        export(trained.path, tmp_path, train=(trained.train_x, np.eye(3)), **arguments)
    arguments["settings"] = ExportSettings(clusters=16, qat=1)
    with pytest.raises(ExportError, match="qat and clusters exclude each other"):
        export(trained.path, tmp_path, train=(trained.train_x, np.eye(3)), **arguments)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    arguments["settings"] = ExportSettings(sparsity=0.5)
    labels = np.eye(len(CLASSES))[np.zeros(len(trained.train_x), int)]
    with pytest.raises(ExportError, match=r"tf_keras is not installed.*kerasnas\[tuning\]"):
        export(trained.path, tmp_path, train=(trained.train_x, labels), **arguments)
    arguments["settings"] = ExportSettings(recurrent="fused_lstm")
    with pytest.raises(ExportError, match=r"tf_keras is not installed.*fused_lstm.*\[tuning\]"):
        export(trained.path, tmp_path, **arguments)
    assert not list(tmp_path.glob("*.tflite"))
