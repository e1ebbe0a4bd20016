"""Hypervolumes of a search and of the random search beside it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from kerasnas.flow.stages import hypervolume
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Hypervolume
from kerasnas.tuners import Gene, Search


def searched(directory: Path, points: list[tuple[float, float]]) -> None:
    genes = [Gene("network", values=tuple(range(len(points))))]
    objectives = [("accuracy", "max"), ("macs", "min")]
    with Search(genes, objectives, max_trials=None, directory=directory) as search:
        for number, (accuracy, macs) in enumerate(points):
            search.enqueue({"network": number})
            trial = search.ask()
            search.tell(trial.id, {"accuracy": accuracy, "macs": macs})


def curves(run: Path) -> Mapping[str, tuple[tuple[int, float], ...]]:
    hypervolume.measure(run)
    return Hypervolume.read(RunPaths(run).hypervolume).searches


def test_volumes_are_shares_of_the_box_of_both_searches(tmp_path: Path) -> None:
    searched(tmp_path, [(0.5, 20), (0.75, 60), (0.6, 100)])
    searched(tmp_path / "random", [(1.0, 120), (0.5, 20)])
    found = curves(tmp_path)
    # The box: accuracy 0.5 to 1, 20 to 120 multiply-accumulates. (0.75, 60) takes half of the
    # accuracies and six tenths of the costs; points on its edges take nothing.
    assert found["search"] == ((1, 0), (2, pytest.approx(0.3)), (3, pytest.approx(0.3)))
    assert found["random"] == ((1, 0), (2, 0))


def test_a_search_alone_and_one_that_was_not_begun(tmp_path: Path) -> None:
    hypervolume.measure(tmp_path)
    assert not RunPaths(tmp_path).hypervolume.exists()
    searched(tmp_path, [(0.5, 20), (1.0, 60), (0.75, 40)])
    assert curves(tmp_path) == {"search": ((1, 0), (2, 0), (3, pytest.approx(0.25)))}
