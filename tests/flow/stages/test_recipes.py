"""Recipes that are tried before a search: which are trained, and which is used."""

import dataclasses
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment, load
from kerasnas.flow.stages.recipes import comparison
from kerasnas.flow.stages.recipes.choice import choose_recipe, in_words
from kerasnas.flow.stages.recipes.work import Work, estimate, work_of
from kerasnas.flow.task import scores
from kerasnas.flow.task.recipes import decided, take_over_recipe
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task, load_task
from kerasnas.flow.workers.pool import FinalTraining, prepare_training
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Recipes
from kerasnas.training.presets import SPEED
from kerasnas.training.scoring.metrics import evaluation


@pytest.fixture(scope="module")
def task(workspace: Path) -> Task:
    """Of an experiment that tries recipes, and has more clips of one class."""
    settings = yaml.safe_load((workspace / "small.yaml").read_text())
    settings["name"] = "recipes"
    settings["search"] |= {"recipes": "auto", "trials": 40}
    settings["training"] = {"candidate": {"epochs": 2}, "final": {"epochs": 12}}
    path = workspace / "recipes.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load_task(load(path))


class Trainings:
    """Stands for the worker pool: every recipe answers so many validation clips wrongly."""

    def __init__(self, wrong: Mapping[str, int | None]) -> None:
        self.wrong = wrong
        self.trained: list[str] = []
        self.recipes: dict[str, Mapping[str, Any]] = {}

    def __call__(
        self,
        session: Session,
        group: str,
        jobs: Mapping[str, FinalTraining],
        epochs: int | None = None,
        *,
        planned: int | None = None,
        tolerant: bool = False,
    ) -> dict[str, float]:
        assert tolerant
        seconds = {}
        for name, (training, description) in jobs.items():
            if not prepare_training(session, training, description):
                continue
            self.trained.append(name)
            self.recipes[name] = description.recipe
            assert description.recipe["epochs"] == epochs
            if (wrong := self.wrong[name]) is None:
                continue
            task = session.task
            clips = task.split.validation
            answers = task.targets[clips].copy()
            answers[:wrong] = np.roll(answers[:wrong], 1, axis=1)
            loss = scores.loss_of(task)
            found = evaluation(task.targets[clips], answers, clips, multi_label=False, loss=loss)
            scores.record(found, task, "validation").write(training.evaluation)
            training.model.touch()
            seconds[name] = 30.0
        return seconds


def session_of(task: Task, run: Path) -> Session:
    return Session(run, task, run / "cache", None, Console(file=io.StringIO(), width=200))


def imbalanced(task: Task) -> Task:
    """The task with a third of the training clips of all classes but one."""
    labels = task.targets[task.split.train].argmax(axis=1)
    kept = task.split.train[(labels == 0) | (np.arange(len(labels)) % 3 == 0)]
    return dataclasses.replace(task, split=dataclasses.replace(task.split, train=kept))


def test_ties_go_to_the_milder_recipe(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings({"none": 1, "light": 0, "strong": 0})
    monkeypatch.setattr(comparison, "train_missing", trainings)
    session = choose_recipe(session_of(task, tmp_path))
    record = Recipes.read(RunPaths(tmp_path).recipes)
    assert trainings.trained == ["none", "light", "strong"]
    assert record.chosen == "none"
    # The least score that counts for a clip's own class is 0.001.
    wrong = math.log(1000) / 6
    assert [each.loss for each in record.tried] == pytest.approx([wrong, 0, 0])
    assert not session.experiment.training.candidate.augmentation.copies


def test_the_best_recipe_is_that_of_candidates_winners_and_workers(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        comparison, "train_missing", Trainings({"none": 6, "light": 0, "strong": 0})
    )
    session = choose_recipe(session_of(task, tmp_path))
    training = session.experiment.training
    assert training.candidate.augmentation.speeds == training.final.augmentation.speeds
    assert training.candidate.augmentation.speeds
    assert (training.candidate.epochs, training.final.epochs) == (2, 12)
    assert decided(task.experiment, tmp_path).training == training
    beside = tmp_path / "random"
    beside.mkdir()
    assert decided(task.experiment, beside) == task.experiment
    take_over_recipe(beside, tmp_path)
    assert decided(task.experiment, beside).training == training
    session.task.examples(task.split.train, training.candidate)  # its versions are there


def test_balanced_sampling_is_tried_where_classes_differ(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"none": 6, "none + balanced": 3, "light + balanced": 0, "strong + balanced": 0}
    trainings = Trainings(wrong)
    monkeypatch.setattr(comparison, "train_missing", trainings)
    session = choose_recipe(session_of(imbalanced(task), tmp_path))
    assert trainings.trained == list(wrong)
    assert trainings.recipes["none + balanced"]["sampling"] == "balanced"
    assert trainings.recipes["none"]["sampling"] == "natural"
    assert Recipes.read(RunPaths(tmp_path).recipes).chosen == "light + balanced"
    assert session.experiment.training.final.sampling == "balanced"


def test_a_comparison_is_made_once_and_again_with_other_settings(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Trainings({"none": 0, "light": 0, "strong": 0})
    monkeypatch.setattr(comparison, "train_missing", first)
    choose_recipe(session_of(task, tmp_path))
    again = Trainings({})
    monkeypatch.setattr(comparison, "train_missing", again)
    choose_recipe(session_of(task, tmp_path))
    RunPaths(tmp_path).recipes.unlink()
    choose_recipe(session_of(task, tmp_path))  # what was trained is not trained again
    assert again.trained == []
    other = Trainings({"none": 0, "light": 0, "strong": 0})
    monkeypatch.setattr(comparison, "train_missing", other)
    changed = task.experiment.model_copy(update={"seed": 1})
    choose_recipe(session_of(dataclasses.replace(task, experiment=changed), tmp_path))
    assert other.trained == ["none", "light", "strong"]


def test_a_recipe_that_cannot_be_trained_is_left_out(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        comparison, "train_missing", Trainings({"none": 2, "light": 1, "strong": None})
    )
    choose_recipe(session_of(task, tmp_path))
    record = Recipes.read(RunPaths(tmp_path).recipes)
    assert record.chosen == "none"
    assert "strong failed" in in_words(record)
    nothing = Trainings({"none": None, "light": None, "strong": None})
    monkeypatch.setattr(comparison, "train_missing", nothing)
    (tmp_path / "other").mkdir()
    with pytest.raises(KerasnasError, match="no recipe could be trained"):
        choose_recipe(session_of(task, tmp_path / "other"))


def test_recipes_take_at_most_a_quarter_of_the_time(task: Task) -> None:
    work = work_of(task)
    epochs = work.epochs(3, most=1000)
    spent = 3 * epochs * work.epoch
    assert epochs > 1
    assert spent <= 0.25 * (spent + work.rest)
    assert work.epochs(3, most=2) == 2
    assert work.epochs(10_000, most=2) == 1


def test_recipes_take_at_most_a_quarter_of_the_hours(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = work_of(task)
    one = 3 * work.epoch / SPEED  # seconds of an epoch of three recipes
    assert dataclasses.replace(work, seconds=8.5 * one).epochs(3, most=1000) == 2
    assert dataclasses.replace(work, seconds=0.1 * one).epochs(3, most=1000) == 1
    # What three trainings of 30 s took comes out of the hours, and a quarter of them at most.
    monkeypatch.setattr(
        comparison, "train_missing", Trainings({"none": 0, "light": 0, "strong": 0})
    )
    for hours, left in ((1.0, 1 - 90 / 3600), (0.01, 0.0075)):
        search = task.experiment.search.model_copy(update={"hours": hours, "workers": 1})
        experiment = task.experiment.model_copy(update={"search": search})
        run = tmp_path / f"{hours}"
        run.mkdir()
        for _ in range(2):  # and the same where the run is resumed
            session = choose_recipe(
                session_of(dataclasses.replace(task, experiment=experiment), run)
            )
            assert session.experiment.search.hours == pytest.approx(left)


def test_masks_are_decided_once(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = task.experiment.training.final.model_copy(update={"epochs": 500})
    training = task.experiment.training.model_copy(update={"final": final})
    experiment = task.experiment.model_copy(update={"training": training})
    trainings = Trainings({"none": 6, "light": 6, "strong": 0})
    monkeypatch.setattr(comparison, "train_missing", trainings)
    monkeypatch.setattr(Work, "epochs", lambda work, recipes, most: 21)
    session = choose_recipe(session_of(dataclasses.replace(task, experiment=experiment), tmp_path))
    tried = trainings.recipes["strong"]["augmentation"]
    for recipe in (session.experiment.training.candidate, session.experiment.training.final):
        assert recipe.augmentation.model_dump(mode="json") == tried
        assert not recipe.augmentation.time_masks.count


def test_the_time_of_a_search_is_estimated_from_the_recipes(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        comparison, "train_missing", Trainings({"none": 0, "light": 0, "strong": 0})
    )
    session = session_of(task, tmp_path)
    assert estimate(session) is None
    session = choose_recipe(session)
    record, work = Recipes.read(RunPaths(tmp_path).recipes), work_of(task)
    minutes = round(30 / (record.epochs * work.epoch) * work.rest / 60)  # one worker
    assert (estimate(session) or "").startswith(f"about {minutes} min to go for 40 candidates")


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"recipes": ["light", "heavy"]}, "recipes"),
        ({"tune": {"training.candidate.sampling": ["natural", "balanced"]}}, "chosen by recipes"),
    ],
)
def test_settings_that_recipes_do_not_go_with(search: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Experiment.model_validate({"name": "a", "search": {"recipes": "auto"} | search})


def test_off_is_what_yaml_makes_of_it() -> None:
    experiment = Experiment.model_validate({"name": "a", "search": yaml.safe_load("recipes: off")})
    assert experiment.search.tried_recipes == ()
    assert yaml.safe_load(experiment.to_yaml())["search"]["recipes"] == "off"
    some = Experiment.model_validate({"name": "a", "search": {"recipes": ["strong", "none"]}})
    assert some.search.tried_recipes == ("none", "strong")


def test_sounds_cannot_be_shuffled_beside() -> None:
    recipe = {"shuffling_and_mixing": {"clips": {"alarm": 9}}}
    with pytest.raises(ValueError, match="does not go together with shuffling_and_mixing"):
        Experiment.model_validate(
            {"name": "a", "search": {"recipes": "auto"}, "training": {"final": recipe}}
        )
