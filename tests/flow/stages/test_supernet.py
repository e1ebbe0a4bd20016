"""A whole search on a supernet, small."""

import csv
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.random_search import search_randomly
from kerasnas.flow.commands.search import search
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Description, EpochTable, Export, Hypervolume
from kerasnas.runs.run import chosen_training, read_winners
from kerasnas.supernet.space import SupernetSpace
from kerasnas.tuners.core.errors import TunerError

pytestmark = pytest.mark.slow

STAGE = {"expansions": [1, 2], "kernel_sizes": [3]}


def written(workspace: Path, name: str = "nasc", **settings: object) -> Path:
    """`small.yaml` with a supernet of two choices of two."""
    experiment = yaml.safe_load((workspace / "small.yaml").read_text())
    experiment["name"] = name
    experiment["model"] = {
        "space": "nasc",
        "stem_filters": 3,
        "stem_strides": [2, 2],
        "stages": [{"filters": 3, "layers": 1, **STAGE}, {"filters": 4, "layers": 1, **STAGE}],
        "frequency_filters": 4,
        "recurrent_layers": 0,
        "dense_units": 4,
    }
    oracle = {"name": "nsga2", "population": 2, "exploitation": 0.5}
    experiment["search"] = {
        "oracle": oracle,
        "trials": 4,
        "objectives": ["accuracy", "macs"],
        "winners": {"middle": {"rule": "knee"}},
        "enqueue": ["baseline", [2, 1]],
        "supernet": {"recalibration_clips": 16, "save_every": 2},
        **settings,
    }
    experiment["training"]["final"]["epochs"] = 1
    experiment["export"]["formats"] = ["float16"]
    path = workspace / f"{name}.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return path


def rows(run: Path) -> list[dict[str, str]]:
    with RunPaths(run).table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def inherited(workspace: Path) -> Path:
    """The run directory of a search on a supernet whose training died once."""
    path, run = written(workspace), workspace / "runs" / "nasc"
    steps, fair_paths = itertools.count(), SupernetSpace.fair_paths

    def dying(space: SupernetSpace, rng: np.random.Generator) -> np.ndarray:
        if next(steps) == 3:  # the second after it was saved
            raise MemoryError
        return fair_paths(space, rng)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SupernetSpace, "fair_paths", dying)
        with pytest.raises(KerasnasError, match="training supernet failed"):
            search(path)
    assert RunPaths(run).supernet.exists()
    assert not RunPaths(run).supernet_history.exists()
    search(path)
    return run


def test_a_training_of_the_supernet_that_died_goes_on(inherited: Path) -> None:
    epochs = EpochTable.read(RunPaths(inherited).supernet_history).epochs
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]


@pytest.mark.nightly
@pytest.mark.usefixtures("processes")
def test_a_killed_training_of_the_supernet_goes_on(workspace: Path) -> None:
    path, run = written(workspace, "killed"), workspace / "runs" / "killed"
    command = [sys.executable, "-m", "kerasnas", "search", str(path)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not RunPaths(run).supernet.exists():
        assert first.poll() is None, "the search ended before its supernet was saved"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not RunPaths(run).supernet_history.exists()
    search(path)
    epochs = EpochTable.read(RunPaths(run).supernet_history).epochs
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]


def test_every_candidate_is_a_trial_with_its_costs(inherited: Path) -> None:
    trials = rows(inherited)
    assert [row["status"] for row in trials] == ["completed"] * 4
    assert {(row["layer1"], row["layer2"]) for row in trials} == {
        (first, second) for first in ("e1k3", "e2k3") for second in ("e1k3", "e2k3")
    }
    assert [(row["layer1"], row["layer2"]) for row in trials[:2]] == [
        ("e2k3", "e2k3"),  # the baseline
        ("e2k3", "e1k3"),  # the chromosome 2, 1
    ]
    for row in trials:
        assert 0 <= float(row["accuracy"]) <= 1
        assert int(row["macs"]) > 0
        assert int(row["peak_activation_bytes"]) > 0
    assert not (inherited / "trials").exists()  # nothing is kept of a candidate but its scores


def test_a_member_of_the_front_is_trained_from_scratch_and_exported(inherited: Path) -> None:
    paths, winners, trials = RunPaths(inherited), read_winners(inherited), rows(inherited)
    assert winners.chosen == "middle"
    assert winners.exported.rule == "knee of the front of accuracy and macs"
    assert winners.exported.by is None
    assert trials[winners.exported.trial]["front"] == "yes"
    described = Description.read(chosen_training(inherited).description)
    assert described.recipe["epochs"] == 1
    assert described.trial == winners.exported.trial
    assert set(Export.read(paths.export.report).files) == {"float16"}
    assert Hypervolume.read(paths.hypervolume).searches["search"][-1][0] == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("filters: 4", "filters: 5", r"holds a supernet of nasc \(2 .* and nasc \(2 "),
        (
            "name: other",
            "name: other\nseed: 5",
            r"other data: training clips 30 \(.*, 30 \(.* here\.",
        ),
        ("mel_bins: 16", "mel_bins: 16\n  fmin: 50", r"other data: features \w+ there, \w+ here\."),
    ],
)
def test_a_supernet_of_another_space_or_of_other_data_is_refused_with_both_named(
    inherited: Path, workspace: Path, old: str, new: str, message: str
) -> None:
    path = written(workspace, "other", supernet={"file": str(RunPaths(inherited).supernet)})
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(KerasnasError, match=message):
        search(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limits": {"macs": 10}}, r"enqueue: baseline .*macs .* .at most 10.: "),
        ({"enqueue": [[1, 2, 1]]}, r"search.enqueue: a chromosome of 3 genes .* 2 layers"),
        ({"enqueue": [[1, 3]]}, r"search.enqueue: gene 2 of a chromosome is 3: it can be 1 to 2"),
        ({"window": {"maximum": 10}}, r"the enqueued values cost .* outside the window"),
    ],
)
def test_what_no_search_can_begin_with_is_refused_before_a_supernet_is_trained(
    workspace: Path, settings: dict[str, object], message: str
) -> None:
    path = written(workspace, "refused", **settings)
    with pytest.raises((KerasnasError, TunerError), match=message):
        search(path)
    assert not RunPaths(workspace / "runs" / "refused").supernet.exists()


def test_random_search_is_compared_on_the_same_supernet(inherited: Path, workspace: Path) -> None:
    before = RunPaths(inherited).supernet.stat().st_mtime_ns
    result = search_randomly(workspace / "nasc.yaml")
    assert RunPaths(inherited).supernet.stat().st_mtime_ns == before
    assert result.run == Path("runs") / "nasc" / "random"
    ours = {(row["layer1"], row["layer2"]): row["accuracy"] for row in rows(inherited)}
    theirs = {(row["layer1"], row["layer2"]): row["accuracy"] for row in rows(result.run)}
    assert theirs == ours  # all four networks, on the same weights
    assert not RunPaths(result.run).winners.exists()
