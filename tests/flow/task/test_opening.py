"""Which settings of an experiment may change before its run is resumed."""

from pathlib import Path

import pytest

from kerasnas.errors import DamagedError, KerasnasError
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


@pytest.mark.parametrize("content", [None, b"", b'{"n":1,"format":"kerasnas.tun'])
@pytest.mark.parametrize("left", ["search.json", "trials.csv", "trials", "winners.json"])
def test_a_search_that_lost_its_journal_is_refused_and_not_begun_again(
    tmp_path: Path, content: bytes | None, left: str
) -> None:
    make_run(tmp_path, MINE)
    if content is not None:
        RunPaths(tmp_path).journal.write_bytes(content)
    make_run(tmp_path, MINE)  # killed before its first trial
    (tmp_path / left).mkdir()
    with pytest.raises(DamagedError, match=rf"journal.jsonl .*{left} tells .*: restore it"):
        make_run(tmp_path, MINE)
    with open_run(tmp_path, MINE, overwrite=True):
        pass
    assert not RunPaths(tmp_path).journal.exists()
