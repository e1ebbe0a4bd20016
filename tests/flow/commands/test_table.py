"""`kerasnas table`: networks trained alike, in one table."""

import csv
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.table import table
from kerasnas.report.networks import PRECISIONS

QUIET = Console(quiet=True)


def test_a_table_needs_a_network(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="holds no trained network: give --architecture"):
        table(workspace / "small.yaml", run=tmp_path / "nothing", console=QUIET)


@pytest.mark.slow
def test_searched_and_named_networks_in_one_table(searched: Path, tmp_path: Path) -> None:
    run = tmp_path / "small"
    shutil.copytree(searched, run)
    found = table(run, ["model_b", f"{run}:loss"], console=QUIET)
    names = [row.name for row in found.rows]
    assert names[0].startswith("searched (trial ") and names[1:] == ["model_b", "winner-loss"]
    for row in found.rows:
        assert row.cost is not None
        for precision in PRECISIONS:
            assert row.size(precision)
            assert row.scores(precision, "accuracy")
    costs, classes = found.tables()
    assert costs.row_count == 3 and classes.row_count == 3
    with found.csv.open(newline="", encoding="utf-8") as file:
        assert [line["network"] for line in csv.DictReader(file)] == names
    assert "What networks cost" in found.report.read_text()
    before = (run / "train" / "model_b" / "test-seed0" / "model.keras").stat().st_mtime_ns
    table(run, ["model_b"], console=QUIET)
    after = (run / "train" / "model_b" / "test-seed0" / "model.keras").stat().st_mtime_ns
    assert before == after, "what is trained is not trained again"
    with pytest.raises(KerasnasError, match=r":best: its winners are accuracy, loss"):
        table(run, [f"{run}:best"], console=QUIET)
