"""Searches by folds, of several objectives, and of settings on a fixed network."""

import csv
import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from kerasnas.flow.commands.evaluate import evaluate
from kerasnas.flow.commands.search import search
from kerasnas.flow.commands.trials import table
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import FrontEndDescription
from kerasnas.runs.run import read_winners

pytestmark = pytest.mark.slow


def written(workspace: Path, name: str, **settings: object) -> Path:
    """`small.yaml` under another name, with other settings of its search."""
    experiment = yaml.safe_load((workspace / "small.yaml").read_text())
    experiment["name"] = name
    experiment["search"] |= settings
    experiment["training"]["candidate"]["epochs"] = 1
    experiment["training"]["final"]["epochs"] = 1
    path = workspace / f"{name}.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return path


def rows(run: Path) -> list[dict[str, str]]:
    with RunPaths(run).table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("folds", [None, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_grid_of_settings_on_a_fixed_network(
    workspace: Path, searched: Path, folds: int | None
) -> None:
    tune = {"features.mel_bins": [16, 20], "training.candidate.batch_size": [8, 16]}
    window = {"maximum": 1_000_000}
    name = f"grid_{folds}"
    path = written(workspace, name, oracle="grid", tune=tune, folds=folds, trials=9, window=window)
    # A search's winner is small; what a paper names takes long.
    result = search(path, architecture="model_b" if folds else searched, workers=1)
    trials = rows(result.run)
    points = [(row["training.candidate.batch_size"], row["features.mel_bins"]) for row in trials]
    assert points == [("8", "16"), ("16", "16"), ("8", "20"), ("16", "20")]
    assert [row["status"] for row in trials] == ["completed"] * 4
    assert len(list((result.run / "trials" / "0000").glob("fold*/history.json"))) == (folds or 0)
    front_end = FrontEndDescription.read(RunPaths(result.run).export.front_end)
    assert front_end.settings["mel_bins"] == result.winner.values["features.mel_bins"]
    again = evaluate(result.run / "export" / "model_int8.tflite")
    assert again.metrics["accuracy"] == pytest.approx(result.exported.report.files["int8"].accuracy)


def test_a_front_of_accuracy_and_cost_from_a_warm_start(workspace: Path) -> None:
    start = {"blocks": 1, "stem_filters": 5, "growth": 1.0, "block1_module_a": "identity"}
    start |= {"block1_module_b": "dsc3", "block1_pooling": "max"}
    oracle = {"name": "nsga2", "population": 2, "exploitation": 0.5, "synchronous": True}
    path = written(
        workspace,
        "front",
        oracle=oracle,
        objectives=["accuracy", "macs"],
        enqueue=[start],
        window={"maximum": 100_000},
    )
    result = search(path, workers=1)
    trials = rows(result.run)
    assert {name: trials[0][name] for name in start} == {k: str(v) for k, v in start.items()}
    front = {int(row["trial"]) for row in trials if row["front"] == "yes"}
    points = [(float(row["accuracy"]), -int(row["macs"])) for row in trials]
    assert front == {
        number
        for number, (accuracy, macs) in enumerate(points)
        if not any(a >= accuracy and m >= macs and (a, m) != (accuracy, macs) for a, m in points)
    }
    assert set(read_winners(result.run).winners) == {"accuracy"}
    console = Console(width=80, file=io.StringIO())
    console.print(table(result.run, 80))
    assert console.file.getvalue().split().count("completed") == 3
