"""Folds of a data set that has none: made once, the same in every process, no group parted."""

from pathlib import Path

import numpy as np
import pytest

from kerasnas import datasets
from kerasnas.experiment import Experiment
from kerasnas.flow.commands.train import caveat_of
from kerasnas.flow.task.task import Task
from tests.test_cli import recordings


def _task(directory: Path) -> Task:
    root = directory / "data"
    if not root.exists():
        recordings(root, cat=9, dog=6)
    data = {"dataset": "folder", "root": str(root)}
    settings = Experiment.model_validate({"name": "x", "data": data, "features": FEATURES})
    clips = datasets.load(settings.data, root)
    split = datasets.split(clips, settings.split, settings.seed)
    return Task(settings, clips, split, np.zeros((len(clips), 1, 2, 2, 1)), {}, None)


FEATURES = {"sample_rate": 8000, "seconds": 0.25, "n_fft": 256, "hop_length": 64, "mel_bins": 16}


def test_every_clip_is_tested_on_once(tmp_path: Path) -> None:
    task = _task(tmp_path)
    parts = {fold: task.final_parts(fold) for fold in task.folded.folds}
    assert list(parts) == ["1", "2", "3", "4", "5"]
    tested = np.concatenate([test for _, _, test in parts.values()])
    assert sorted(tested) == list(range(len(task.clips)))
    for train, _, test in parts.values():
        assert sorted([*train, *test]) == list(range(len(task.clips)))
        assert {task.clips[int(index)].labels for index in test} == {("cat",), ("dog",)}


def test_another_process_makes_the_same(tmp_path: Path) -> None:
    first, again = _task(tmp_path), _task(tmp_path)
    assert first.folded == again.folded
    assert first.clips.folds == ()


@pytest.mark.parametrize("fold", ["1", "5"])
def test_an_ensembles_member_trains_without_its_fold(tmp_path: Path, fold: str) -> None:
    task = _task(tmp_path)
    train, _, test = task.final_parts(fold, "test")
    assert not any(task.folded[int(index)].fold == fold for index in train)
    np.testing.assert_array_equal(test, task.split.test)


def test_folds_that_a_search_has_seen_are_called_optimistic(tmp_path: Path) -> None:
    task, run = _task(tmp_path), tmp_path / "run"
    run.mkdir()
    (run / "experiment.yaml").touch()
    assert "figures over folds are optimistic" in (caveat_of(task, str(run), ["1", "2"]) or "")
    assert caveat_of(task, str(run), [None]) is None  # the experiment's own test clips
    assert caveat_of(task, "compact", ["1", "2"]) is None  # nobody has searched it
