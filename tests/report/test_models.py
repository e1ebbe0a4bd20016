"""The mean AUC by model, from a run directory with trials and a named network."""

from pathlib import Path

import numpy as np

from kerasnas.report import write as write_report
from kerasnas.report.sections import models
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Evaluation
from kerasnas.runs.run import Run
from kerasnas.tuners import Gene
from tests.report.pages import Page
from tests.runs.journals import Candidate, write_journal

ROWS = {  # cell: held-out mean AUC of each trial
    "lstm": (0.75, 0.875, 0.5),
    "gru": (0.625,),
}


def write(path: Path, first: str = "mean_auc", second: str = "loss") -> Path:
    paths = RunPaths(path)
    paths.experiment.write_text("name: tagger\n")
    genes = [Gene("cell", values=tuple(ROWS)), Gene("units", values=tuple(range(4)))]
    tried = [(cell, value) for cell, values in ROWS.items() for value in values]
    candidates = [
        Candidate(
            {"cell": cell, "units": number},
            100,
            {first: 0.25, second: 1.0, f"test_{first}": value},
        )
        for number, (cell, value) in enumerate(tried)
    ]
    direction = "min" if second == "loss" else "max"
    write_journal(path, genes, [(first, "max"), (second, direction)], candidates)
    for seed, value in enumerate((0.9375, 0.8125)):
        Evaluation(
            clips="test",
            classes=("a",),
            metrics={"mean_auc": value},
            confusion=None,
            by_class=None,
            channel_f1=None,
            count=1,
            predictions=np.array([[0.5]]),
            labels=np.array([[1]]),
            ids=("clip",),
        ).write(paths.network("fc1").training(None, seed).evaluation)
    return path


def test_maximum_mean_and_minimum_of_each_model(tmp_path: Path) -> None:
    html = str(models.section(Run.read(write(tmp_path))))
    rows = html.split("<tr")[1:]  # what is before is the picture
    for name, *expected in (
        ("searched lstm", "3", "0.875", "0.708", "0.500"),
        ("searched gru", "1", "0.625", "0.625", "0.625"),
        ("fc1", "2", "0.938", "0.875", "0.812"),
    ):
        (row,) = [row for row in rows if f">{name}<" in row]
        position = [row.find(f">{value}<") for value in expected]
        assert -1 not in position, (name, row)
    assert "held-out clips, by model" in html and "<svg" in html
    assert "</figure><div><" in html  # table and note share the place beside the picture


def test_what_is_a_mean_already_is_not_called_one_twice(tmp_path: Path) -> None:
    page = Page(write_report(write(tmp_path)))
    assert len(page.rows("genes", "Mean AUC and size by cell")) == 2


def test_validation_scores_where_another_score_comes_first(tmp_path: Path) -> None:
    for name in ("other", "both"):
        (tmp_path / name).mkdir()
    other = write(tmp_path / "other", "mean_average_precision")
    assert models.section(Run.read(other)) is None
    both = write(tmp_path / "both", "mean_average_precision", "mean_auc")
    html = str(models.section(Run.read(both)))
    assert "validation clips, by model" in html and ">fc1<" not in html
    assert html.count(">1.000<") == 6  # every candidate has 1 there; two models, three columns
