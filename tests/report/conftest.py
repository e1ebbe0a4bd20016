"""A small run directory, written as a search, an export and a training leave it."""

import shutil
from collections.abc import Callable
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from kerasnas.models.wu_lee import WuLeeSpace
from kerasnas.runs import records
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.tuners import Gene
from kerasnas.tuners.core.genes import Condition
from tests.runs.journals import Candidate, write_journal

HOSTILE = "<script>alert('dog')</script>"
CLASSES = ("alarm & bell", "$peech", HOSTILE)
SCORES = (0.50, 0.90, 0.70, 0.60, 0.80)
TEST_SCORES = (0.41, 0.85, 0.63, 0.52, 0.74)
LOSSES = (1.1, 0.6, 0.5, 0.9, 0.7)
CHOSEN, LOWEST_LOSS = 1, 2
RIGHT, COUNT = 17, 20

GENES = (
    Gene("blocks", values=(2, 3)),
    Gene("growth", values=(1.0, 1.5, 2.0)),
    Gene("block1_module_a", values=("dsc3", "ir3", "ir5")),
    # Tells apart those that are alike otherwise.
    Gene("stem", (Condition("block1_module_a", ("dsc3",)),), values=tuple(range(5))),
)


def candidates(metric: str = "accuracy") -> list[Candidate]:
    """Five that were scored, one that failed, one that still runs."""
    growths = (1.0, 1.0, 2.0, 1.5, 2.0)
    scored = []
    for n, (score, loss, test) in enumerate(zip(SCORES, LOSSES, TEST_SCORES, strict=True)):
        size = 100_000 + 10_000 * n
        values = {"blocks": 2, "growth": growths[n], "block1_module_a": "dsc3", "stem": n}
        info = {"parameters": 50_000 + n, "macs": 2_000_000}
        info |= {"int8_bytes": size, "float16_bytes": 2 * size}
        metrics = {"loss": loss, f"test_{metric}": test, metric: score}
        scored.append(Candidate(values, size, metrics, info, seconds=12.5))
    failed = {"blocks": 2, "growth": 1.0, "block1_module_a": "ir3"}
    running = failed | {"block1_module_a": "ir5"}
    error = f"died: {HOSTILE}"
    return [*scored, Candidate(failed, 90_000, error=error), Candidate(running, 95_000)]


def write_trials(run: Path, metric: str = "accuracy", only: slice = slice(None)) -> None:
    """Replace the run's journal by one of a search by this metric, of some candidates."""
    RunPaths(run).journal.unlink(missing_ok=True)
    write_journal(run, GENES, [(metric, "max"), ("loss", "min")], candidates(metric)[only])


def make_evaluation(
    right: int = RIGHT, classes: tuple[str, ...] = CLASSES, **changes: Any
) -> records.Evaluation:
    """The first `right` clips are answered rightly, the others taken for the next class."""
    truth = np.arange(COUNT) % len(classes)
    answers = np.where(np.arange(COUNT) < right, truth, (truth + 1) % len(classes))
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (truth, answers), 1)
    fields: dict[str, Any] = {
        "clips": "test",
        "classes": classes,
        "metrics": {"loss": 0.4321, "accuracy": right / COUNT, "macro_f1": 0.8123},
        "confusion": confusion,
        "by_class": None,
        "channel_f1": None,
        "count": COUNT,
        "predictions": np.eye(len(classes))[answers],
        "labels": np.eye(len(classes), dtype=int)[truth],
        "ids": tuple(f"clip{n}" for n in range(COUNT)),
    }
    return records.Evaluation(**fields | changes)


def exported_file(name: str, size: int, **changes: Any) -> records.FileEntry:
    fields: dict[str, Any] = {
        "file": f"model_{name}.tflite",
        "sha256": "0" * 64,
        "form": "full_int8" if name == "int8" else "float16",
        "recurrent": None,
        "keeps_state": False,
        "failed_forms": (),
        "bytes": size,
        "gzip_bytes": size,
        "stock_bytes": 2 * size,
        "counted_bytes": size,
        "budget": 150_000,
        "rule": "file",
        "verdict": "passed" if size <= 150_000 else "failed",
        "predicted_bytes": size + 1234,
        "prediction_error": 1234 / size,
        "operators": {"CONV_2D:3": 7, "MEAN:2": 1},
        "float_operators": {},
        "delegated": records.Delegated(0.75, {"MEAN": 1}, 1, False),
        "minimum_runtime": "2.5.0" if name == "int8" else None,
        "largest_difference": 0.0375,
        "agreement": 0.985,
        "accuracy": 0.84,
        "accuracy_drop": records.AccuracyDrop(0.01, (-0.005, 0.025)),
        "latency_ms": records.Latency(3.21, 4.56, 1),
    }
    return records.FileEntry(**fields | changes)


def whole_file(
    name: str, front_end: int, classifier: int, mediapipe: bool = False
) -> records.WaveformEntry:
    """The entry of a file that takes the waveform."""
    alike = exported_file(name, classifier)
    return records.WaveformEntry(
        file=f"model_{name}_waveform.tflite",
        sha256="0" * 64,
        sample_rate=16_000,
        samples=32_000,
        bytes=front_end + classifier,
        classifier_bytes=classifier,
        front_end_bytes=front_end,
        counted_bytes=front_end + classifier,
        verdict=alike.verdict,
        features_difference=0.0,
        operators=alike.operators,
        delegated=alike.delegated,
        minimum_runtime=alike.minimum_runtime,
        mediapipe=mediapipe,
        keeps_state=True,
        largest_difference=alike.largest_difference,
        agreement=alike.agreement,
        accuracy=alike.accuracy,
        accuracy_drop=alike.accuracy_drop,
        latency_ms=alike.latency_ms,
    )


def export_report(task: str = "single_label", **changes: Any) -> records.Export:
    """An export whose float16 file is too large; `changes` are those of the int8 file's entry."""
    over = "model_float16.tflite has 220,000 bytes, 70,000 more than the budget of 150,000"
    check = ("budget", "model_float16.tflite", "failed", 220_000, 150_000, over)
    return records.Export(
        task=task,
        classes=CLASSES,
        input_shape=(32, 16, 1),
        clips=records.ClipCounts(COUNT, 12),
        held_on="test clips",
        accuracy={"keras": 0.85, "float16": 0.84, "int8": 0.84},
        tuning=None,
        files={
            "float16": exported_file("float16", 220_000),
            "int8": exported_file("int8", 111_222, **changes),
        },
        checks=(
            records.CheckEntry(*check),
            records.CheckEntry("budget", "model_int8.tflite", "passed", 1, 2, "within"),
        ),
        verdict="failed",
        settings={},
        versions={"python": "3.11.2", "tensorflow": "2.21.0"},
        machine="x86_64",
    )


def describe(architecture: Any, **fields: Any) -> records.Description:
    """The description of a network that is trained with a recipe of no settings."""
    return records.Description(architecture.to_json(), {}, **fields)


def write_winner(run: Path, name: str, trial: int) -> None:
    space = WuLeeSpace((32, 16, 1), len(CLASSES))
    values = space.references["model_a"]
    architecture = space.architecture(values)
    training = RunPaths(run).winner(name)
    cost = architecture.cost().to_json()
    described = describe(architecture, trial=trial, values=dict(values), cost=cost)
    described.write(training.description)
    write_history(training, validated=False)
    make_evaluation().write(training.evaluation)


def write_winners(run: Path, chosen: str = "accuracy", **trials: int) -> None:
    """Write `winners.json`: by accuracy and by loss, the trials given; one trial, one directory."""
    rules = {"accuracy": "highest validation accuracy", "loss": "lowest validation loss"}
    trials = {"accuracy": CHOSEN, "loss": LOWEST_LOSS} | trials
    first = {trial: name for name, trial in reversed(trials.items())}
    entries = {
        name: records.WinnerEntry(trial, f"winners/{first[trial]}", rules[name], name)
        for name, trial in trials.items()
    }
    records.Winners(entries, chosen).write(RunPaths(run).winners)


def write_history(training: TrainingPaths, validated: bool = True, epochs: int = 4) -> None:
    def epoch(n: int) -> dict[str, float | None]:
        trained = {"epoch": n, "loss": 1 / n, "accuracy": 1 - 0.5 / n, "learning_rate": 1e-3}
        if not validated:
            return trained
        return trained | {"val_loss": 1.2 / n, "val_accuracy": None if n == 2 else 1 - 0.6 / n}

    records.EpochTable(tuple(epoch(n) for n in range(1, epochs + 1))).write(training.history)


LOSES = (records.FindingEntry("baseline", True, "The network loses"),)


def write_folds(run: Path, by_class: records.FoldClasses | None = None) -> None:
    def scores(accuracy: float) -> dict[str, Any]:
        return {
            "float32": {"accuracy": accuracy, "loss": 0.3},
            "float16": {"accuracy": accuracy, "loss": 0.3, "bytes": 220_000},
            "int8": {"accuracy": accuracy - 0.025, "loss": 0.3, "bytes": 111_222},
        }

    trainings = tuple(
        records.FoldTraining(
            str(fold),
            0,
            80,
            scores(0.9 + 0.01 * fold),
            {"accuracy": 0.8},
            LOSES if fold == 2 else (),
        )
        for fold in range(1, 6)
    )
    mean = {"float32": 0.93, "float16": 0.93, "int8": 0.905}
    deviation = {"float32": None, "float16": None, "int8": None}
    folds = records.Folds("winner", "accuracy", trainings, mean, deviation, by_class, 0.8)
    folds.write(RunPaths(run).network("winner").folds)


def write_state(run: Path, headline_gene: str | None = "growth") -> None:
    records.SearchState(
        proposed=40,
        rejected=33,
        window=records.SizeWindow("int8_file", 60_000, 160_000),
        objectives=(("accuracy", "max"), ("loss", "min")),
        front=(1, 2),
        seconds=93.4,
        headline_gene=headline_gene,
    ).write(RunPaths(run).search)


def write_run(path: Path) -> Path:
    """A run that holds everything."""
    path.mkdir()
    paths = RunPaths(path)
    paths.experiment.write_text(
        "schema: 1\nname: kitchen\nsplit:\n  by: fold\n  test_fold: '5'\n"
        "  validation_fold: null\n  validation_fraction: 0.2\n"
        "search:\n  window:\n    rule: int8_file\n    minimum: 60000\n    maximum: 160000\n",
        encoding="utf-8",
    )
    write_trials(path)
    for number in range(3):
        write_history(paths.trial(f"{number:04d}"))
    write_state(path)
    write_winner(path, "accuracy", CHOSEN)
    write_winner(path, "loss", LOWEST_LOSS)
    write_winners(path)
    records.Findings({"float32": ()}).write(paths.findings)
    export_report().write(paths.export.report)
    make_evaluation().write(paths.export.evaluation("float16"))
    make_evaluation(RIGHT - 1).write(paths.export.evaluation("int8"))
    write_folds(path)
    return path


@pytest.fixture
def drawn() -> None:
    """Pictures that are drawn whole, for a test about them."""


@pytest.fixture(autouse=True)
def _texts_of_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pictures be no more than their texts where nothing else is tested: drawing takes time."""

    def write_texts(figure: Figure, file: StringIO, **_: Any) -> None:
        texts = (escape(text.get_text()) for text in figure.findobj(Text))
        file.write(f'<svg viewBox="0 0 1 1">{"".join(f"<text>{t}</text>" for t in texts)}</svg>')

    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(Figure, "savefig", write_texts)


@pytest.fixture
def run(whole_run: Path, tmp_path: Path) -> Path:
    """A run that holds everything, for one test to change."""
    return shutil.copytree(whole_run, tmp_path / "kitchen")


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that holds everything, for reading only."""
    return write_run(tmp_path_factory.mktemp("whole") / "kitchen")


@pytest.fixture
def evaluation() -> Callable[..., records.Evaluation]:
    """What makes an evaluation: `(right, classes, **changes)`."""
    return make_evaluation
