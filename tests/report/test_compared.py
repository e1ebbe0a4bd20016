"""The searched network beside named ones."""

from pathlib import Path

import numpy as np
import pytest

from kerasnas.report import write
from kerasnas.report.statistics import best_epoch, first_reaching
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import EpochTable, Evaluation, FoldClasses
from tests.report.conftest import write_folds
from tests.report.pages import Page

NAN = float("nan")


def tagged(rates: list[float]) -> Evaluation:
    labels = np.tile(np.eye(3, dtype=int)[:2], (10, 1))  # nobody gave the third tag
    return Evaluation(
        clips="test",
        classes=("speech", "rain", "dog"),
        metrics={"loss": 0.3, "equal_error_rate": float(np.nanmean(rates))},
        confusion=None,
        by_class={
            "positives": np.array([10, 10, 0], float),
            "equal_error_rate": np.array(rates),
            "auc": np.array(rates),
        },
        channel_f1=None,
        count=20,
        predictions=labels.astype(float),
        labels=labels,
        ids=tuple(f"clip{n}" for n in range(20)),
    )


def history(rates: list[float | None]) -> EpochTable:
    return EpochTable(
        tuple(
            {"epoch": n, "loss": 1 / n, "accuracy": 0.5, "val_loss": rate, "val_accuracy": None}
            for n, rate in enumerate(rates, 1)
        )
    )


@pytest.fixture
def tagger(run: Path) -> Path:
    """The searched network and `crnn`, two seeds, scored on held-out clips and over folds."""
    paths = RunPaths(run)
    tagged([0.1, 0.3, NAN]).write(paths.winner("accuracy").evaluation)
    history([0.5, 0.4, 0.2]).write(paths.winner("accuracy").history)
    for seed, rate in enumerate((0.3, 0.5)):
        training = paths.network("crnn").training(None, seed)
        tagged([rate, 0.5, NAN]).write(training.evaluation)
        history([0.6, None, 0.4]).write(training.history)
    rates = {"float32": {"equal_error_rate": np.array([0.2, 0.25, NAN])}}
    write_folds(run, FoldClasses(("speech", "rain", "dog"), (12, 11, 0), rates))
    return run


def test_error_rates_are_listed_by_tag_with_the_searched_network_first(tagger: Path) -> None:
    page = Page(write(tagger))
    assert page.rows("compared", "Equal error rate by tag on 20 held-out clips") == [
        ["positive clips", "10", "10", "0", ""],
        ["searched (trial 1)", "0.100", "0.300", "–", "0.200"],
        ["crnn", "0.400 ± 0.141", "0.500 ± 0.000", "–", "0.450 ± 0.071"],
    ]
    assert page.rows("compared", "Equal error rate by tag, mean over folds") == [
        ["positive clips", "12", "11", "0", ""],
        ["searched (trial 1)", "0.200", "0.250", "–", "0.225"],
    ]


def test_scores_are_listed_side_by_side_with_parameters_where_they_are_known(
    tagger: Path,
) -> None:
    rows = Page(write(tagger)).rows("compared", "Scores on the same 20 held-out clips")
    assert [row[0] for row in rows] == ["searched (trial 1)", "crnn"]
    assert rows[0][1] != "–"
    assert rows[1][1:4] == ["–", "2", "0.300 ± 0.000"]


def test_epochs_until_the_baselines_best_are_told(tagger: Path) -> None:
    rows = Page(write(tagger)).rows("curves", "Epochs until validation loss")
    assert rows == [
        ["searched (trial 1)", "3", "0.200 in epoch 3", "2"],
        ["crnn", "3", "0.400 in epoch 3", "3"],
    ]


def test_best_epochs_pass_over_what_is_unknown() -> None:
    assert best_epoch([0.5, NAN, 0.2, 0.2], "loss") == 3
    assert best_epoch([0.5, NAN, 0.7], "accuracy") == 3
    assert best_epoch([NAN], "loss") is None
    assert first_reaching([0.5, NAN, 0.2], 0.4, "loss") == 3
    assert first_reaching([0.5, 0.6], 0.6, "accuracy") == 2
    assert first_reaching([0.5, NAN], 0.6, "accuracy") is None


def test_the_table_of_tags_has_error_rates(tagger: Path) -> None:
    rows = Page(write(tagger)).rows("held-out", "Keras, float32: tags on 20")
    assert rows[0][-1] == "0.100"
    assert rows[2][-1] == "–"


def test_candidates_scored_over_folds_show_the_first_folds_curve(run: Path) -> None:
    for fold in "01":
        history([0.6, 0.5]).write(RunPaths(run).trial("0001").fold(fold).history)
    page = Page(write(run))
    drawn = [text.text for text in page.section("curves").iter("text")]
    assert "trial 1, fold 0" in drawn
    assert "trial 1, fold 1" not in drawn
