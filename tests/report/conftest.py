"""A small run directory, written in the formats that a search, an export and a training leave."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.models.wu_lee import WuLeeSpace

HOSTILE = "<script>alert('dog')</script>"
CLASSES = ("alarm & bell", "$peech", HOSTILE)
SCORES = (0.50, 0.90, 0.70, 0.60, 0.80)
TEST_SCORES = (0.41, 0.85, 0.63, 0.52, 0.74)
LOSSES = (1.1, 0.6, 0.5, 0.9, 0.7)
CHOSEN, LOWEST_LOSS = 1, 2
RIGHT, COUNT = 17, 20


def write_json(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def write_trials(path: Path, metric: str = "accuracy") -> None:
    header = f"trial,status,{metric},loss,test_{metric},bytes,parameters,macs,int8_bytes"
    header += ",float16_bytes,seconds,error,blocks,growth,block1_module_a"
    growths = ("1.0", "1.0", "2.0", "1.5", "2.0")
    rows: list[list[Any]] = []
    for n, (score, loss, test) in enumerate(zip(SCORES, LOSSES, TEST_SCORES, strict=True)):
        size = 100_000 + 10_000 * n
        figures = [score, loss, test, size, 50_000 + n, 2_000_000, size, 2 * size, 12.5, ""]
        rows.append([n, "completed", *figures, 2, growths[n], "dsc3"])
    rows.append([5, "failed", *[""] * 3, 90_000, *[""] * 5, f"died: {HOSTILE}", 2, "1.0", "ir3"])
    rows.append([6, "running", *[""] * 3, 95_000, *[""] * 6, 2, "1.0", "ir5"])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])


def make_evaluation(right: int = RIGHT, classes: tuple[str, ...] = CLASSES) -> dict[str, Any]:
    """The first `right` clips are answered rightly, the others taken for the next class."""
    truth = np.arange(COUNT) % len(classes)
    answers = np.where(np.arange(COUNT) < right, truth, (truth + 1) % len(classes))
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (truth, answers), 1)
    return {
        "schema": 1,
        "clips": "test",
        "classes": list(classes),
        "metrics": {"loss": 0.4321, "accuracy": right / COUNT, "macro_f1": 0.8123},
        "confusion": confusion.tolist(),
        "count": COUNT,
        "predictions": np.eye(len(classes))[answers].tolist(),
        "labels": np.eye(len(classes), dtype=int)[truth].tolist(),
        "ids": [f"clip{n}" for n in range(COUNT)],
    }


def exported_file(name: str, size: int) -> dict[str, Any]:
    return {
        "file": f"model_{name}.tflite",
        "form": "full_int8" if name == "int8" else "float16",
        "bytes": size,
        "budget": 150_000,
        "rule": "file",
        "verdict": "passed" if size <= 150_000 else "failed",
        "stock_bytes": 2 * size,
        "predicted_bytes": size + 1234,
        "prediction_error": 1234 / size,
        "operators": {"CONV_2D:3": 7, "MEAN:2": 1},
        "float_operators": {},
        "recurrent": None,
        "accuracy_drop": {"mean": 0.01, "bounds": [-0.005, 0.025]},
        "delegated": {"share": 0.75, "left": {"MEAN": 1}, "estimated": False},
        "minimum_runtime": "2.5.0" if name == "int8" else None,
        "largest_difference": 0.0375,
        "agreement": 0.985,
        "accuracy": 0.84,
        "latency_ms": {"median": 3.21, "p95": 4.56, "threads": 1},
    }


def whole_file(name: str, front_end: int, classifier: int) -> dict[str, Any]:
    """The entry of a file that takes the waveform."""
    alike = ("minimum_runtime", "agreement", "accuracy", "latency_ms", "verdict")
    entry = exported_file(name, classifier)
    return {name: entry[name] for name in alike} | {
        "file": f"model_{name}_waveform.tflite",
        "sample_rate": 16_000,
        "samples": 32_000,
        "bytes": front_end + classifier,
        "front_end_bytes": front_end,
        "classifier_bytes": classifier,
        "mediapipe": False,
        "keeps_state": True,
    }


def export_report() -> dict[str, Any]:
    over = "model_float16.tflite has 220,000 bytes, 70,000 more than the budget of 150,000"
    return {
        "schema": 1,
        "task": "single_label",
        "classes": list(CLASSES),
        "input_shape": [32, 16, 1],
        "clips": {"test": COUNT, "calibration": 12},
        "accuracy": {"keras": 0.85, "float16": 0.84, "int8": 0.84},
        "files": {
            "float16": exported_file("float16", 220_000),
            "int8": exported_file("int8", 111_222),
        },
        "checks": [
            {
                "name": "budget",
                "file": "model_float16.tflite",
                "verdict": "failed",
                "message": over,
            },
            {
                "name": "budget",
                "file": "model_int8.tflite",
                "verdict": "passed",
                "message": "within",
            },
        ],
        "verdict": "failed",
        "settings": {},
        "versions": {"python": "3.11.2", "tensorflow": "2.21.0"},
        "machine": "x86_64",
    }


def write_winner(run: Path, rule: str, trial: int) -> None:
    space = WuLeeSpace((32, 16, 1), len(CLASSES))
    values = space.references["model_a"]
    architecture = space.architecture(values)
    write_json(
        run / f"winners/{rule}/architecture.json",
        {
            "schema": 1,
            "trial": trial,
            "values": dict(values),
            "architecture": architecture.to_json(),
            "cost": architecture.cost().to_json(),
        },
    )
    write_history(run / f"winners/{rule}", validated=False)
    write_json(run / f"winners/{rule}/evaluation.json", make_evaluation())


def write_history(directory: Path, validated: bool = True, epochs: int = 4) -> None:
    def epoch(n: int) -> dict[str, float | None]:
        trained = {"epoch": n, "loss": 1 / n, "accuracy": 1 - 0.5 / n, "learning_rate": 1e-3}
        if not validated:
            return trained
        return trained | {"val_loss": 1.2 / n, "val_accuracy": None if n == 2 else 1 - 0.6 / n}

    write_json(
        directory / "history.json",
        {"schema": 1, "epochs": [epoch(n) for n in range(1, epochs + 1)]},
    )


def write_folds(run: Path) -> None:
    def scores(accuracy: float) -> dict[str, Any]:
        return {
            "float32": {"accuracy": accuracy, "loss": 0.3},
            "float16": {"accuracy": accuracy, "loss": 0.3, "bytes": 220_000},
            "int8": {"accuracy": accuracy - 0.025, "loss": 0.3, "bytes": 111_222},
        }

    trainings = [
        {"fold": str(fold), "seed": 0, "count": 80, **scores(0.9 + 0.01 * fold)}
        for fold in range(1, 6)
    ]
    write_json(
        run / "train/winner/folds.json",
        {
            "schema": 1,
            "architecture": "winner",
            "metric": "accuracy",
            "trainings": trainings,
            "mean": {"float32": 0.93, "float16": 0.93, "int8": 0.905},
            "deviation": {"float32": None, "float16": None, "int8": None},
        },
    )


def write_run(path: Path) -> Path:
    """A run that holds everything."""
    path.mkdir()
    (path / "experiment.yaml").write_text(
        "schema: 1\nname: kitchen\nsplit:\n  by: fold\n  test_fold: '5'\n"
        "  validation_fold: null\n  validation_fraction: 0.2\n"
        "search:\n  window:\n    rule: int8_file\n    minimum: 60000\n    maximum: 160000\n",
        encoding="utf-8",
    )
    write_trials(path / "trials.csv")
    for number in range(3):
        write_history(path / f"trials/{number:04d}")
    write_json(
        path / "search.json",
        {
            "schema": 1,
            "proposed": 40,
            "rejected": 33,
            "window": {"rule": "int8_file", "minimum": 60_000, "maximum": 160_000},
            "seconds": 93.4,
        },
    )
    write_winner(path, "accuracy", CHOSEN)
    write_winner(path, "loss", LOWEST_LOSS)
    write_json(
        path / "winners.json",
        {
            "schema": 1,
            "accuracy": {"trial": CHOSEN, "directory": "winners/accuracy"},
            "loss": {"trial": LOWEST_LOSS, "directory": "winners/loss"},
            "chosen": "accuracy",
            "rule": "highest validation accuracy",
        },
    )
    write_json(path / "export/export.json", export_report())
    write_json(path / "export/evaluation_float16.json", make_evaluation())
    write_json(path / "export/evaluation_int8.json", make_evaluation(RIGHT - 1))
    write_folds(path)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that holds everything, for one test to change."""
    return write_run(tmp_path / "kitchen")


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that holds everything, for reading only."""
    return write_run(tmp_path_factory.mktemp("whole") / "kitchen")


@pytest.fixture
def evaluation() -> Callable[..., dict[str, Any]]:
    """What makes an `evaluation.json`: `(right, classes)`."""
    return make_evaluation


@pytest.fixture
def trials() -> Callable[..., None]:
    """What writes a `trials.csv`: `(path, metric)`."""
    return write_trials
