"""Networks side by side: rows, the table as a file, and what the page shows of them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from kerasnas.models.wu_lee import WuLeeSpace
from kerasnas.report import write
from kerasnas.report.networks import primary_metric, rows, write_csv
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.run import Run
from tests.report.conftest import CLASSES, describe, export_report, make_evaluation
from tests.report.pages import Page


@pytest.fixture
def compared(run: Path) -> Path:
    """The searched network, `model_b` with two seeds, and an ensemble of it."""
    paths = RunPaths(run)
    network = WuLeeSpace((32, 16, 1), len(CLASSES)).reference("model_b")
    for seed, right in enumerate((14, 18)):
        training = paths.network("model_b").training(None, seed)
        describe(network, seed=seed).write(training.description)
        make_evaluation(right).write(training.evaluation)
        export_report(bytes=90_000 + 10_000 * seed).write(training.export.report)
        make_evaluation(right - 1).write(training.export.evaluation("int8"))
    make_evaluation(19).write(paths.ensemble("model_b").evaluation)
    return run


def test_a_row_has_costs_bytes_and_scores_of_every_precision(compared: Path) -> None:
    searched, named, together = rows(Run.read(compared))
    assert [searched.name, named.name] == ["searched (trial 1)", "model_b"]
    network = WuLeeSpace((32, 16, 1), len(CLASSES)).reference("model_b")
    assert named.cost == network.cost()
    assert named.size("float32") == network.cost().float32_bytes
    assert named.size("float16") == 220_000
    assert named.size("int8") == 95_000
    assert named.scores("float32", "accuracy") == [0.7, 0.9]
    assert named.scores("float16", "accuracy") == []
    assert named.scores("int8", "accuracy") == [0.65, 0.85]
    assert searched.scores("int8", "accuracy") == [0.8]
    assert together.name == "model_b, ensemble of folds"
    assert (together.cost, together.size("int8")) == (None, None)
    assert together.scores("float32", "accuracy") == [0.95]


def test_f1_of_every_class_is_the_mean_over_seeds(compared: Path) -> None:
    _, named, _ = rows(Run.read(compared))
    each = [make_evaluation(right) for right in (14, 18)]
    expected = []
    for evaluation in each:
        confusion = evaluation.confusion
        assert confusion is not None
        expected.append(2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1)))
    np.testing.assert_allclose(named.by_class(), np.mean(expected, axis=0))


def test_the_table_is_a_file(compared: Path, tmp_path: Path) -> None:
    run = Run.read(compared)
    write_csv(tmp_path / "networks.csv", run)
    with (tmp_path / "networks.csv").open(newline="", encoding="utf-8") as file:
        searched, named, together = csv.DictReader(file)
    assert primary_metric(run) == "accuracy"
    assert named["network"] == "model_b"
    assert (named["trainings"], named["int8_bytes"]) == ("2", "95000.0")
    assert float(named["accuracy_float32"]) == pytest.approx(0.8)
    assert float(named["accuracy_float32_deviation"]) == pytest.approx(0.02**0.5)
    assert named["accuracy_float16"] == ""
    assert int(named["macs"]) > 0 < int(named["trainable_parameters"]) < int(named["parameters"])
    assert [name for name in named if name.startswith("f1: ")] == [f"f1: {c}" for c in CLASSES]
    assert float(searched["f1: $peech"]) > 0
    assert together["parameters"] == ""


def test_the_page_shows_costs_and_classes_of_named_networks(compared: Path) -> None:
    page = Page(write(compared))
    lines = page.rows("compared", "What networks cost, and how well they answer")
    assert [line[0] for line in lines] == [
        "searched (trial 1)",
        "model_b",
        "model_b, ensemble of folds",
    ]
    assert lines[1][4].startswith("0.22") and lines[1][5].startswith("0.10")  # megabytes
    assert lines[1][6].startswith("80.0 ± 14.1")
    classes = page.rows("classes", "F1 of every class on 20 held-out clips")
    assert {len(line) for line in classes} == {4}  # the searched one, and both of `model_b`
