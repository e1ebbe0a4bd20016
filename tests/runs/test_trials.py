"""The trials of a run as their journal tells them, and the table for people."""

import csv
from pathlib import Path

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.run import Run
from kerasnas.runs.table import write_table
from kerasnas.runs.trials import Trials, cost_of, held_out_of, value_of
from kerasnas.tuners import Gene
from kerasnas.tuners.core.genes import Condition
from tests.runs.journals import Candidate, write_journal

GENES = (
    Gene("blocks", values=(1, 2)),
    Gene("kind", values=("conv", "lstm")),
    Gene("units", (Condition("kind", ("lstm",)),), values=(8, 16)),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two scored trials, none better than the other in both objectives, and a failed one."""
    costs = {"parameters": 10, "macs": 100, "int8_bytes": 900}
    write_journal(
        tmp_path,
        GENES,
        [("accuracy", "max"), ("macs", "min")],
        [
            Candidate(
                {"blocks": 1, "kind": "conv"},
                900,
                {"accuracy": 0.5, "loss": 0.75, "test_accuracy": 0.25, "macs": 100},
                costs,
                seconds=1.25,
            ),
            Candidate(
                {"blocks": 2, "kind": "lstm", "units": 8},
                1900,
                {"accuracy": 0.75, "loss": 0.5, "macs": 300},
                costs | {"macs": 300},
            ),
            Candidate({"blocks": 2, "kind": "conv"}, 1000, error="out of memory"),
            Candidate({"blocks": 1, "kind": "lstm", "units": 16}, 1200),
        ],
    )
    return tmp_path


def test_trials_are_told_from_the_journal(run: Path) -> None:
    trials = Trials.read(run)
    assert [trial.number for trial in trials.completed] == [1, 0]
    assert [trial.message for trial in trials.failed] == ["out of memory"]
    assert trials.objectives == ("accuracy", "macs")
    assert trials.scores == ("accuracy",)
    assert trials.genes == ("blocks", "kind", "units")
    assert trials.front == {0, 1}
    assert trials.numbered(3) is trials.all[3]
    assert trials.numbered(4) is None and trials.numbered(-1) is None
    first = trials.all[0]
    assert (value_of(first, "accuracy"), value_of(first, "macs")) == (0.5, 100)
    assert (held_out_of(first, "accuracy"), held_out_of(trials.all[1], "accuracy")) == (0.25, None)
    assert (cost_of(first, "int8_bytes"), cost_of(trials.all[2], "int8_bytes")) == (900, None)


def test_the_table_has_a_row_a_trial(run: Path) -> None:
    path = RunPaths(run).table
    write_table(path, Trials.read(run), ["accuracy", "test_accuracy"])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["completed", "completed", "failed", "running"]
    assert rows[0] == {
        "trial": "0",
        "status": "completed",
        "accuracy": "0.5",
        "test_accuracy": "0.25",
        "bytes": "900",
        "parameters": "10",
        "macs": "100",
        "int8_bytes": "900",
        "float16_bytes": "",
        "peak_activation_bytes": "",
        "arena_bytes": "",
        "seconds": "1.2",
        "front": "yes",
        "error": "",
        "blocks": "1",
        "kind": "conv",
        "units": "",
    }
    assert (rows[2]["error"], rows[2]["front"], rows[2]["units"]) == ("out of memory", "", "")


def test_a_run_that_has_not_searched_has_no_trials(tmp_path: Path) -> None:
    RunPaths(tmp_path).experiment.write_text("name: x\n")
    trials = Run.read(tmp_path).trials
    assert (trials.all, trials.completed, trials.genes, trials.front) == ((), (), (), frozenset())
    with pytest.raises(KerasnasError, match=r"no search can be read at .*journal\.jsonl"):
        Trials.read(tmp_path)


def test_an_emptied_journal_is_refused(run: Path) -> None:
    paths = RunPaths(run)
    paths.experiment.write_text("name: x\n")
    paths.journal.write_text("")
    with pytest.raises(KerasnasError, match=r"journal\.jsonl"):
        Run.read(run)
