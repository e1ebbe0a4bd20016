"""Which settings of an experiment may change before its run is resumed."""

from pathlib import Path

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import open_run, read_experiment
from kerasnas.runs.layout import RunPaths

MINE = Experiment.model_validate({"name": "mine", "seed": 3})


def make_run(directory: Path, experiment: Experiment) -> None:
    with open_run(directory, experiment):
        pass


def test_the_same_experiment_is_resumed_with_other_limits(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    assert read_experiment(tmp_path) == MINE
    RunPaths(tmp_path).journal.write_text("kept")
    make_run(tmp_path, MINE.overridden(tmp_path, workers=1, trials=99, seconds=60))
    assert RunPaths(tmp_path).journal.read_text() == "kept"
    assert read_experiment(tmp_path).search.trials == 99


def test_another_experiment_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    RunPaths(tmp_path).journal.write_text("kept")
    other = Experiment.model_validate({"name": "mine", "seed": 4})
    with pytest.raises(KerasnasError, match=r"another experiment.*seed \(3 there, 4 here\)"):
        make_run(tmp_path, other)
    assert read_experiment(tmp_path) == MINE
