"""Means over folds and seeds of what trainings scored."""

from io import StringIO
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kerasnas.flow.task.trainings import Trainings, summarise
from kerasnas.runs.records import FindingEntry, FoldTraining
from kerasnas.training.scoring.metrics import ByClass

Part = tuple[FoldTraining, dict[str, ByClass]]


def tagged(fold: str, seed: int, rates: list[float], count: int) -> Part:
    """A training of a tagger with these equal error rates by tag."""
    known = np.array(rates)
    columns = {
        "positives": np.array([3.0, 0.0 if isnan(rates[1]) else 2.0]),
        "average_precision": known,
        "auc": known,
        "equal_error_rate": known,
    }
    rate = float(np.nanmean(known)) if np.isfinite(known).any() else nan
    metrics = {
        "equal_error_rate": rate,
        "mean_auc": rate,
        "mean_average_precision": rate,
        "bytes": 10.0,
    }
    return FoldTraining(fold, seed, count, {"float32": metrics}), {"float32": columns}


def trainings(*parts: Part, metric: str = "equal_error_rate") -> Trainings:
    scored, tables = zip(*parts, strict=True)
    folds = summarise("crnn", metric, ("speech", "rain"), scored, tables)
    return Trainings(Path("x"), folds)


def test_error_rates_weigh_folds_equally_tag_by_tag() -> None:
    found = trainings(tagged("0", 0, [0.1, nan], 900), tagged("1", 0, [0.3, 0.4], 100))
    # speech (0.1 + 0.3) / 2, rain 0.4 in the only fold that has it, and the mean of the two
    assert found.mean("float32") == pytest.approx(0.3)
    assert found.deviation("float32") is None
    classes = found.folds.by_class
    assert classes is not None
    assert classes.classes == ("speech", "rain")
    assert classes.positives == (6, 2)
    assert classes.scores["float32"]["equal_error_rate"] == pytest.approx([0.2, 0.4])


def test_seeds_are_averaged_and_their_deviation_is_that_of_their_means() -> None:
    found = trainings(
        *(tagged(fold, seed, [0.1 + seed / 10, 0.1], 50) for seed in (0, 1) for fold in "01")
    )
    assert found.mean("float32") == pytest.approx(0.125)
    assert found.deviation("float32") == pytest.approx(0.05 / 2**0.5)
    assert found.folds.by_class is not None and found.folds.by_class.positives == (6, 4)
    screen = Console(width=120, file=StringIO())
    screen.print(found.table())
    assert "0.125 ± 0.035" in screen.file.getvalue()
    assert "±: standard deviation over seeds" in screen.file.getvalue()
    assert repr(found) == (
        "Trainings(network: crnn, directory: x, trainings: 4, "
        "equal error rate in float32: 0.125 ± 0.035)"
    )
    assert "0.125 ± 0.035" in found._repr_html_()


def test_folds_without_any_rate_are_null_on_disk_and_a_dash_on_the_screen() -> None:
    found = trainings(tagged("0", 0, [nan, nan], 10))
    assert found.mean("float32") is None
    written = found.folds.fields()
    assert written["mean"] == {"float32": None}
    assert written["trainings"][0]["scores"]["float32"]["equal_error_rate"] is None
    screen = Console(width=120, file=StringIO())
    screen.print(found.table())
    assert "–" in screen.file.getvalue()


def test_with_one_label_folds_weigh_by_their_clips() -> None:
    parts = [
        (FoldTraining(fold, 0, count, {"float32": {"accuracy": share, "bytes": 1.0}}), {})
        for fold, share, count in (("0", 0.5, 30), ("1", 1.0, 10))
    ]
    found = trainings(*parts, metric="accuracy")
    assert found.mean("float32") == pytest.approx((15 + 10) / 40)
    assert found.folds.baseline is None
    assert found.folds.by_class is None


def test_baselines_stand_beside_and_serious_findings_are_told_once() -> None:
    loses = FindingEntry("baseline", True, "The network loses to a regression")
    few = FindingEntry("few", False, "There are few clips")
    parts = [
        (
            FoldTraining(
                fold, seed, 10, {"float32": {"accuracy": 0.5}}, {"accuracy": share}, (loses, few)
            ),
            {},
        )
        for seed in (0, 1)
        for fold, share in (("1", 0.5), ("2", 1.0))
    ]
    found = trainings(*parts, metric="accuracy")
    assert found.folds.baseline == pytest.approx(0.75)
    screen = Console(width=120, file=StringIO())
    screen.print(found.table())
    assert "baseline" in screen.file.getvalue() and "0.750" in screen.file.getvalue()
    assert found.problems() == (
        "fold 1, seed 0; fold 2, seed 0; fold 1, seed 1; fold 2, seed 1: "
        "The network loses to a regression."
    )
