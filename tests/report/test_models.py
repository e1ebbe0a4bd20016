"""The mean AUC by model, from a run directory with trials and a named network."""

import csv
import json
from pathlib import Path

from kerasnas.report import write as write_report
from kerasnas.report.run import read
from kerasnas.report.sections import models
from tests.report.pages import Page

ROWS = {  # cell: held-out mean AUC of each trial
    "lstm": (0.75, 0.875, 0.5),
    "gru": (0.625,),
}


def write(path: Path, first: str = "mean_auc") -> Path:
    path.joinpath("experiment.yaml").write_text("name: tagger\n")
    header = ["trial", "status", first, "loss", f"test_{first}", "bytes", "parameters", "macs"]
    header += ["int8_bytes", "float16_bytes", "seconds", "error", "cell"]
    with (path / "trials.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(header)
        trials = [(cell, value) for cell, values in ROWS.items() for value in values]
        for number, (cell, value) in enumerate(trials):
            table.writerow([number, "completed", 0.25, 1.0, value, *[100] * 5, 1.5, "", cell])
    for seed, value in enumerate((0.9375, 0.8125)):
        directory = path / "train" / "fc1" / f"test-seed{seed}"
        directory.mkdir(parents=True)
        known = {"schema": 1, "classes": ["a"], "metrics": {"mean_auc": value}, "confusion": None}
        known |= {"count": 1, "predictions": [[0.5]], "labels": [[1]], "by_class": None}
        (directory / "evaluation.json").write_text(json.dumps(known))
    return path


def test_maximum_mean_and_minimum_of_each_model(tmp_path: Path) -> None:
    html = str(models.section(read(write(tmp_path))))
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
    write(tmp_path, "mean_average_precision")
    assert models.section(read(tmp_path)) is None
    text = (tmp_path / "trials.csv").read_text()
    (tmp_path / "trials.csv").write_text(text.replace(",loss,", ",mean_auc,"))
    html = str(models.section(read(tmp_path)))
    assert "validation clips, by model" in html and ">fc1<" not in html
    assert html.count(">1.000<") == 6  # every candidate has 1 there; two models, three columns
