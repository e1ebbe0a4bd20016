"""An ensemble of one network, trained without each fold in turn."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.flow.commands import ensemble as flow
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.task import load_task
from kerasnas.flow.workers import jobs
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Ensemble, Evaluation
from kerasnas.tuners.runners.base import Job, TrialContext
from tests.report.conftest import make_evaluation

pytestmark = pytest.mark.slow

SEEDS = itertools.count()


def untrained(session, group, trainings) -> None:
    """Stands for training: models as they are initialised, each with a seed of its own."""
    import keras

    for training, description in trainings.values():
        if training.model.exists():
            continue
        keras.utils.set_random_seed(next(SEEDS))
        training.path.mkdir(parents=True, exist_ok=True)
        Architecture.from_json(description.architecture).build().save(training.model)
        metrics = {"loss": 1.0, "accuracy": float(description.fold), "macro_f1": None}
        make_evaluation(metrics=metrics).write(training.evaluation)


def here(session, group, waiting: list[Job], epochs) -> None:
    """Stands for a worker process."""
    (job,) = waiting
    trial = TrialContext(job.id, job.directory, lambda *_: True)
    jobs.ensemble(**job.arguments)(dict(job.values), trial)


def test_clips_are_scored_by_the_mean_of_all_members(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setattr(flow, "train_missing", untrained)
    monkeypatch.setattr(flow, "run_jobs", here)
    run = workspace / "ensemble"
    result = flow.ensemble(workspace / "small.yaml", architecture="model_a", run=run)
    assert list(result.members) == [f"fold {fold}" for fold in range(1, 6)]
    assert result.members["fold 4"]["accuracy"] == 4

    task = load_task(read_experiment(run))
    test = task.examples(task.split.test)
    x = test.x(np.arange(len(test)))
    members = [keras.saving.load_model(path) for path in result.directory.glob("*/model.keras")]
    expected = np.mean([model.predict(x, verbose=0) for model in members], axis=0)
    paths = RunPaths(run).ensemble("model_a")
    found = Evaluation.read(paths.evaluation)
    np.testing.assert_allclose(found.predictions, test.clip_means(expected), atol=1e-5)
    assert found.metrics == result.metrics
    assert Ensemble.read(paths.scores) == result.scores
    assert result.table().row_count == 6

    scored = []
    monkeypatch.setattr(flow, "run_jobs", lambda *given: scored.append(given) or here(*given))
    assert flow.ensemble(workspace / "small.yaml", architecture="model_a", run=run) == result
    assert not scored
    (paths.member("2").path / "model.keras").unlink()
    again = flow.ensemble(workspace / "small.yaml", architecture="model_a", run=run)
    assert len(scored) == 1
    assert again.scores.models["fold 2"] != result.scores.models["fold 2"]
    paths.evaluation.write_bytes(b"")
    flow.ensemble(workspace / "small.yaml", architecture="model_a", run=run)
    assert len(scored) == 2


def test_a_member_sees_neither_its_fold_nor_the_test_clips(workspace: Path) -> None:
    from kerasnas import experiment as experiments

    task = load_task(experiments.load(workspace / "small.yaml"))
    train, validation, test = task.final_parts("2", "test")
    folds = [task.clips[int(index)].fold for index in train]
    assert "2" not in folds
    assert not len(validation)  # nothing is stopped early
    np.testing.assert_array_equal(test, task.split.test)
    left = np.setdiff1d(np.arange(len(task.clips)), np.concatenate([train, test]))
    assert {task.clips[int(index)].fold for index in left} == {"2"}
    train, validation, held_out = task.final_parts(None, "validation")
    np.testing.assert_array_equal(train, task.split.train)
    np.testing.assert_array_equal(held_out, task.split.validation)
    assert not len(validation)
