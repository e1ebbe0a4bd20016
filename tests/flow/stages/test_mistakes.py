"""Mistakes of a network that a run keeps: which clips, with or without their recordings."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from kerasnas.experiment import load
from kerasnas.flow.stages import mistakes as stage
from kerasnas.flow.stages.mistakes import keep_mistakes
from kerasnas.flow.task import scores
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task, load_task
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import Excerpts
from kerasnas.training.scoring.metrics import evaluation

EXPORTED: Any = SimpleNamespace(files={})
WRONG = 2


@pytest.fixture(scope="module")
def task(workspace: Path) -> Task:
    return load_task(load(workspace / "small.yaml"))


@pytest.fixture
def keep(task: Task, tmp_path: Path) -> Callable[[bool], Excerpts]:
    """What keeps the mistakes of a network that takes two clips for their next class."""
    test = task.split.test
    answers = 0.1 + 0.8 * task.targets[test]
    answers[:WRONG] = np.roll(answers[:WRONG], 1, axis=1)
    training = TrainingPaths(tmp_path / "winner")
    found = evaluation(
        task.targets[test], answers, test, multi_label=False, loss=scores.loss_of(task)
    )
    scores.record(found, task, "test").write(training.evaluation)

    def run(audio: bool) -> Excerpts:
        report = task.experiment.report.model_copy(update={"audio": audio})
        mine = replace(task, experiment=task.experiment.model_copy(update={"report": report}))
        session = Session(tmp_path, mine, tmp_path, None, Console(file=io.StringIO()))
        return keep_mistakes(session, training, EXPORTED)

    return run


def test_wrong_answers_come_first_with_label_answer_and_picture(
    task: Task, keep: Callable[[bool], Excerpts]
) -> None:
    found = keep(False)
    assert found.wrong == WRONG
    wrong = [entry for entry in found.entries if entry.label != entry.answer]
    assert list(found.entries[:WRONG]) == wrong
    ids = {task.clips[int(index)].id for index in task.split.test[:WRONG]}
    assert {entry.id for entry in wrong} == ids
    for entry in found.entries:
        assert entry.mp3 is None
        assert entry.png is not None
        assert base64.b64decode(entry.png).startswith(b"\x89PNG")


def test_recordings_are_kept_where_they_are_asked_for(
    task: Task, keep: Callable[[bool], Excerpts], tmp_path: Path
) -> None:
    assert not any(entry.mp3 for entry in keep(False).entries)
    found = keep(True)
    assert found.audio
    for entry in found.entries:
        assert entry.mp3 is not None and entry.start is not None and entry.stop is not None
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(entry.mp3)))
        assert len(samples) / rate == pytest.approx(entry.stop - entry.start, abs=0.1)
        assert 0 < entry.stop - entry.start <= task.experiment.features.seconds + 0.01
    assert keep(False).audio is False  # they are taken out again
    assert not any(entry.mp3 for entry in Excerpts.read(RunPaths(tmp_path).excerpts).entries)


def test_what_is_kept_is_not_cut_again(
    keep: Callable[[bool], Excerpts], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keep(True)
    monkeypatch.setattr(stage, "make_excerpts", None)
    assert keep(True) == first


def test_no_more_recordings_than_a_page_has_room_for(
    keep: Callable[[bool], Excerpts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "within", lambda excerpts: [next(iter(excerpts))])
    found = keep(True)
    assert [entry.mp3 is not None for entry in found.entries] == [True] + [False] * (
        len(found.entries) - 1
    )
