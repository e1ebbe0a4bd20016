"""Baselines of a task, and what is wrong with networks beside them."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kerasnas.experiment import load
from kerasnas.flow.stages import baselines as stage
from kerasnas.flow.stages.baselines import measure_baselines, to_beat
from kerasnas.flow.stages.review import review
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task, load_task
from kerasnas.runs.records import Baselines
from kerasnas.training.review import baseline
from kerasnas.training.scoring.metrics import evaluation


@pytest.fixture(scope="module")
def task(workspace: Path) -> Task:
    return load_task(load(workspace / "small.yaml"))


@pytest.fixture
def session(task: Task, tmp_path: Path) -> Session:
    console = Console(file=io.StringIO(), width=200)
    return Session(tmp_path, task, tmp_path / "cache", None, console)


@pytest.fixture(scope="module")
def measured(task: Task) -> Baselines:
    train = task.split.train
    parts = {"validation": (train, task.split.validation), "test": (train, task.split.test)}
    return stage.of_parts(task, train, parts)


@pytest.fixture
def evaluated(task: Task, tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """What writes the evaluation of a network that answers so, and returns its file."""

    def write(answers: np.ndarray) -> Path:
        test = task.split.test
        found = evaluation(
            task.targets[test], answers, test, multi_label=False, loss=scores.loss_of(task)
        )
        path = tmp_path / "evaluation.json"
        scores.record(found, task, "test").write(path)
        return path

    return write


def test_baselines_are_scored_on_both_parts_of_the_split(task: Task, measured: Baselines) -> None:
    assert measured.skipped is None
    for name, clips in (("validation", task.split.validation), ("test", task.split.test)):
        part = measured.parts[name]
        ids = tuple(task.clips[int(index)].id for index in clips)
        assert part.regression.ids == ids
        assert part.chance["accuracy"] == pytest.approx(1 / len(task.clips.classes))
        assert part.frequencies == pytest.approx(task.targets[task.split.train].mean(axis=0))
        share = task.targets[clips].mean(axis=0)[part.frequencies.argmax()]
        assert part.majority["accuracy"] == pytest.approx(share)


def test_baselines_are_measured_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure_baselines(session)
    monkeypatch.setattr(baseline, "measure", None)
    assert measure_baselines(session) == first
    final = session.experiment.training.final.model_copy(update={"sampling": "balanced"})
    training = session.experiment.training.model_copy(update={"final": final})
    changed = session.experiment.model_copy(update={"training": training})
    other = dataclasses.replace(session.task, experiment=changed)
    with pytest.raises(TypeError):
        measure_baselines(dataclasses.replace(session, task=other))


def test_what_is_to_beat_is_told_in_a_line(task: Task, measured: Baselines) -> None:
    part = measured.parts["test"]
    line = to_beat(task, measured)
    assert f"{part.regression.metrics['accuracy']:.3f} (a logistic regression)" in line
    majority = task.clips.classes[int(part.frequencies.argmax())]
    assert f'{part.majority["accuracy"]:.3f} (always answering "{majority}")' in line


def test_too_many_clips_are_skipped_and_said(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MOST_PRODUCTS", 10)
    skipped = stage.of_parts(task, task.split.train, {"test": (task.split.train, task.split.test)})
    assert not skipped.parts
    assert to_beat(task, skipped).startswith("no baselines: 39 clips of 3 classes")
    paths: dict[str, Path] = {}
    assert review(task, paths, task.split.train, skipped).told() == []


def test_a_network_of_one_answer_is_found_out(
    task: Task, measured: Baselines, evaluated: Callable[[np.ndarray], Path]
) -> None:
    answers = np.tile(np.float32([0.6, 0.3, 0.1]), (len(task.split.test), 1))
    found = review(task, {"float32": evaluated(answers)}, task.split.train, measured)
    assert found.serious
    first = found.told()[0]
    assert first.kind == "one_answer"
    assert task.clips.classes[0] in first.sentence


def test_a_network_that_is_always_right_has_no_serious_finding(
    task: Task, measured: Baselines, evaluated: Callable[[np.ndarray], Path]
) -> None:
    right = 0.1 + 0.8 * task.targets[task.split.test]
    path = evaluated(right.astype(np.float32))
    found = review(task, {"float32": path}, task.split.train, measured, {"accuracy": 1.0})
    assert not found.serious


def test_a_score_far_below_that_on_validation_clips_is_told(
    task: Task, measured: Baselines, evaluated: Callable[[np.ndarray], Path]
) -> None:
    answers = 0.1 + 0.8 * task.targets[task.split.test].astype(np.float32)
    answers[::2] = answers[::2, ::-1]
    path = evaluated(answers)
    kinds = {
        validation: [
            each.kind
            for each in review(
                task, {"float32": path}, task.split.train, measured, {"accuracy": validation}
            ).told()
        ]
        for validation in (0.4, 1.0)
    }
    assert "drop" in kinds[1.0]
    assert "drop" not in kinds[0.4]


def test_a_tagger_that_gives_no_tags_is_found_out(task: Task, tmp_path: Path) -> None:
    several = dataclasses.replace(task, clips=dataclasses.replace(task.clips, multi_label=True))
    test = several.split.test
    parts = {"test": (several.split.train, test)}
    baselines = stage.of_parts(several, several.split.train, parts)
    assert "the tags' frequencies" in to_beat(several, baselines)
    silent = np.full((len(test), 3), 0.01, np.float32)
    paths = {}
    for name, answers in (("float32", silent), ("int8", several.targets[test])):
        paths[name] = tmp_path / f"{name}.json"
        found = evaluation(
            several.targets[test], answers, test, multi_label=True, loss="binary_crossentropy"
        )
        scores.record(found, several, "test").write(paths[name])
    told = review(several, paths, several.split.train, baselines)
    kinds = {name: {each.kind for each in found} for name, found in told.precisions.items()}
    assert {"silent_tags", "baseline"} <= kinds["float32"]
    assert not any(each.serious for each in told.precisions["int8"])
