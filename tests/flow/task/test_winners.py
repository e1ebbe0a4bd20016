"""Searched networks by their names."""

from pathlib import Path

import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.task.opening import open_run
from kerasnas.flow.task.winners import read_named, searched_network
from kerasnas.models.space import Values
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import ControllerCurve, Description, MostProbable, WinnerEntry, Winners

EXPERIMENT = Experiment.model_validate(
    {
        "name": "tags",
        "data": {"dataset": "chime_home", "root": "nowhere"},
        "model": {"space": "liu_zhang"},
        "search": {
            "oracle": "controller",
            "tune": {"training.candidate.batch_size": [16, 32]},
        },
    }
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with open_run(tmp_path / "tags", EXPERIMENT):
        pass
    return tmp_path / "tags"


def crnn() -> Values:
    return EXPERIMENT.space(7).references["crnn"]


def test_a_run_and_a_name_in_it(run: Path) -> None:
    assert searched_network(str(run)) == (run, None)
    assert searched_network(f"{run}:loss") == (run, "loss")
    assert searched_network("crnn") is None
    assert searched_network("crnn:loss") is None


def test_the_controllers_own_choice_can_be_trained(run: Path) -> None:
    with pytest.raises(KerasnasError, match="no controller has learned there"):
        read_named(run, "most_probable", 7)
    values = {**crnn(), "training.candidate.batch_size": 32}
    ControllerCurve((), MostProbable(values, 0.5)).write(RunPaths(run).controller)
    found = read_named(run, "most_probable", 7)
    assert Architecture.from_json(found.architecture) == EXPERIMENT.space(7).reference("crnn")
    assert found.settings == {"training.candidate.batch_size": 32}
    assert found.recipe["batch_size"] == 32


def test_winners_have_the_names_of_their_rules(run: Path) -> None:
    paths = RunPaths(run)
    for name in ("accuracy", "loss"):
        Description({"blocks": [name]}, {}).write(paths.winner(name).description)
    entries = {name: WinnerEntry(3, f"winners/{name}", name, name) for name in ("accuracy", "loss")}
    Winners(entries, "accuracy").write(paths.winners)
    assert read_named(run, "loss", 7).architecture == {"blocks": ["loss"]}
    with pytest.raises(KerasnasError, match="tags:best: its winners are accuracy, loss; .*:most_p"):
        read_named(run, "best", 7)
