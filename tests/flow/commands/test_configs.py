"""Every experiment file of `configs/`, reduced, from recordings in its layout to its files."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kerasnas.datasets.synthetic.layouts import write
from kerasnas.runs.layout import RunPaths
from tests.real_data import yamnet_file

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
SECONDS = 0.8
MODELS: dict[str, dict[str, Any]] = {
    "wu_lee": {"blocks": [1, 2], "stem_filters": [4, 8]},
    "liu_zhang": {"recurrent_units": 4},
    "li": {"layers": [1], "units": [4, 8], "dense_layers": [0, 1], "dense_units": [8]},
    "nasc": {
        "stem_filters": 4,
        "stages": [{"filters": 4, "layers": 2, "strides": [2, 2]}],
        "frequency_filters": 4,
        "recurrent_units": 4,
        "dense_units": 4,
    },
    "pretrained": {"cuts": [2, 3], "speeds": [0.9]},
}
ORACLES: dict[str, dict[str, Any]] = {
    "controller": {"budget": 4, "settled": 1, "batch": 2},
    "nsga2": {"population": 2, "exploitation": 0.8},
}


def reduce(settings: dict[str, Any]) -> dict[str, Any]:
    """Cut clips, networks, candidates and epochs; what is done with them stays as it is."""
    features, search = settings["features"], settings["search"]
    if features.get("kind") != "stored_embedding":
        features["seconds"] = SECONDS
        if "segment_frames" in features:
            features["segment_frames"] = 32
        elif "kind" not in features:
            features["mel_bins"] = 16
    settings["model"] |= MODELS[settings["model"]["space"]]
    if settings["data"]["dataset"] == "synthetic":
        settings["data"] |= {"clips": 120, "seconds": SECONDS}
    oracle = search.get("oracle", {})
    oracle = {"name": oracle} if isinstance(oracle, str) else oracle
    if oracle:
        search["oracle"] = oracle | ORACLES.get(oracle["name"], {})
    search |= {"trials": 6 if oracle.get("name") == "controller" else 4, "workers": 1}
    search["window"] |= {"minimum": 0, "maximum": 100_000_000}
    for winner in search.get("winners", {}).values():
        winner.pop("limits", None)
    if "supernet" in search:
        search["supernet"] = {"recalibration_clips": 8}
    for field, options in search.get("tune", {}).items():
        search["tune"][field] = [16, 32] if field == "features.mel_bins" else options[:1]
    for name, recipe in settings.get("training", {}).items():
        reduced = {**recipe, "epochs": 1, "warm_up_epochs": 0, "batch_size": 16}
        if "shuffling_and_mixing" in recipe:
            clips = dict.fromkeys(recipe["shuffling_and_mixing"]["clips"], 12)
            reduced["shuffling_and_mixing"] = {"clips": clips}
        settings["training"][name] = reduced
    export = {"on_fail": "report", "calibration_clips": 8, "latency_runs": 3, "repeat": False}
    settings["export"] = settings.get("export", {}) | export
    return settings


@pytest.mark.nightly
@pytest.mark.usefixtures("own_places")
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_an_experiment_goes_from_recordings_to_files(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kerasnas.flow.commands.search import search

    settings = reduce(yaml.safe_load(config.read_text()))
    if settings["model"]["space"] == "pretrained":
        monkeypatch.setenv("KERASNAS_YAMNET", str(yamnet_file()))
    root = tmp_path / "data"
    if (dataset := settings["data"]["dataset"]) != "synthetic":
        write(dataset, root, 160, SECONDS)
        settings["data"]["root"] = str(root)
    small = tmp_path / config.name
    small.write_text(yaml.safe_dump(settings))

    result = search(small)

    assert (
        len(result.results.trials) == settings["search"]["trials"] or "tune" in settings["search"]
    )
    assert not [trial.message for trial in result.results.trials if trial.status == "failed"]
    paths = RunPaths(result.run)
    files = {path.name for path in paths.export.path.iterdir()}
    assert {"model_float16.tflite", "model_int8.tflite", "labels.txt", "export.json"} <= files
    assert paths.report.is_file() and paths.model_card.is_file()
    if settings["search"].get("oracle", {}).get("name") == "controller":
        assert "What the controller finds most probable" in paths.report.read_text()
