"""Trainings of one small network by several recipes, and which of them is used."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError, counted
from kerasnas.features.settings import Spectrogram
from kerasnas.flow.stages.baselines import judged_by
from kerasnas.flow.stages.recipes.work import work_of
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.flow.task.winners import describe
from kerasnas.flow.workers.pool import FinalTraining, train_missing
from kerasnas.runs.records import Evaluation, RecipeEntry, Recipes
from kerasnas.training.presets import (
    Facts,
    clip_losses,
    facts_of,
    milder_of_ties,
    presets,
    weightings,
    with_preset,
)
from kerasnas.training.recipe import Recipe

_AT_A_TIME = 2
"""Trainings side by side on the usual machine: the number of epochs must not depend on this one."""
_EVEN = ("macro_f1", "balanced_accuracy", "balanced_loss")
"""Scores in which every class counts alike."""

Losses = dict[str, NDArray[np.float64]]


def compare(session: Session, made_from: str) -> Recipes:
    """Train a small network by every recipe that is tried, and return what came of it.

    Args:
        session: Of the search.
        made_from: Digest of what decides, which the record keeps.

    Raises:
        KerasnasError: No recipe could be trained.
        TunerError: No candidate lies in the window.
    """
    task, experiment = session.task, session.experiment
    facts = _facts(task, experiment.training.final.epochs)
    names, samplings = experiment.search.tried_recipes, tuple(weightings(facts))
    work = work_of(task)
    count = len(names) + len(samplings) - 1
    waves = (len(samplings), len(names) - 1) if len(samplings) > 1 else (len(names),)
    turns = sum(math.ceil(wave / _AT_A_TIME) for wave in waves)
    epochs = work.epochs(turns * _AT_A_TIME, experiment.training.final.epochs)
    facts = replace(facts, epochs=epochs)
    session.console.print(
        f"Trying {counted(count, 'recipe')} for {counted(epochs, 'epoch')} each, before the "
        "candidates ...",
        markup=False,
    )
    trial = _Tried(session, work.network, facts, _base(experiment.training.final, epochs), count)
    sampling = samplings[0]
    if len(samplings) > 1:
        found = trial.losses([(names[0], each) for each in samplings])
        sampling = samplings[list(found).index(milder_of_ties(found))]
    found = trial.losses([(name, sampling) for name in names])
    augmentation = names[list(found).index(milder_of_ties(found))]
    preset, losses = presets(facts)[augmentation], trial.found
    ordered = {
        name: losses[name]
        for each in samplings
        for augmented in names
        if (name := recipe_name(augmented, each)) in losses
    }
    return Recipes(
        made_from,
        _described(work.network),
        len(task.examples(task.split.train)),
        epochs,
        experiment.training.final.epochs,
        tuple(trial.entries(ordered)),
        recipe_name(augmentation, sampling),
        {
            "augmentation": preset.model_dump(mode="json"),
            "sampling": sampling,
        },
    )


def recipe_name(augmentation: str, sampling: str) -> str:
    """Return what a recipe is called: `light`, or `light + balanced`."""
    return augmentation if sampling == "natural" else f"{augmentation} + {sampling}"


class _Tried:
    """Trainings of one network by several recipes.

    Args:
        session: Of the search.
        network: What is trained.
        facts: About the training examples.
        base: The recipe, but for augmentation and sampling.
        planned: Number of trainings.
    """

    def __init__(
        self, session: Session, network: Architecture, facts: Facts, base: Recipe, planned: int
    ) -> None:
        self.found: Losses = {}
        self._session = session
        self._network = network
        self._facts = facts
        self._base = base
        self._planned = planned
        self._seconds: dict[str, float] = {}

    def losses(self, recipes: list[tuple[str, str]]) -> Losses:
        """Train by recipes, of augmentation and sampling, and return their losses by clip.

        Raises:
            KerasnasError: None of them could be trained.
        """
        jobs = {recipe_name(*recipe): self._job(*recipe) for recipe in recipes}
        self._seconds |= train_missing(
            self._session,
            "recipes",
            jobs,
            self._base.epochs,
            planned=self._planned,
            tolerant=True,
        )
        for name, (training, _) in jobs.items():
            if name not in self.found:
                known = self._session.intact(Evaluation, training.evaluation)
                self.found[name] = np.full(1, np.nan) if known is None else self._of(known)
        found = {name: self.found[name] for name in jobs}
        if not any(np.isfinite(each).all() for each in found.values()):
            raise KerasnasError(
                "no recipe could be trained, see above: correct training.final, or set "
                "search.recipes: off"
            )
        return found

    def entries(self, losses: Losses) -> list[RecipeEntry]:
        """Return the recipes' records, in the order of `losses`."""
        finite = {name: each for name, each in losses.items() if np.isfinite(each).all()}
        best = min(finite.values(), key=np.mean)
        paths, run = self._session.paths, self._session.run
        entries = []
        for name, each in losses.items():
            training = paths.recipe(name)
            known = name in finite
            difference = each - best if known else np.full(1, np.nan)
            entries.append(
                RecipeEntry(
                    name,
                    training.path.relative_to(run).as_posix(),
                    Evaluation.read(training.evaluation).metrics if known else {},
                    float(each.mean()),
                    float(difference.mean()),
                    float(difference.std(ddof=min(1, len(each) - 1)) / len(each) ** 0.5),
                    self._seconds.get(name),
                )
            )
        return entries

    def _job(self, augmentation: str, sampling: str) -> FinalTraining:
        experiment = self._session.experiment
        recipe = with_preset(self._base, presets(self._facts)[augmentation], sampling)
        described = describe(
            experiment, self._network, {}, seed=experiment.seed, scored_on="validation"
        )
        name = recipe_name(augmentation, sampling)
        return self._session.paths.recipe(name), replace(
            described, recipe=recipe.model_dump(mode="json")
        )

    def _of(self, known: Evaluation) -> NDArray[np.float64]:
        return clip_losses(
            known.predictions.astype(np.float32),
            known.labels.astype(np.float32),
            multi_label=self._session.task.clips.multi_label,
            balanced=judged_by(self._session.experiment) in _EVEN,
        )


def _facts(task: Task, epochs: int) -> Facts:
    front_end = task.experiment.features
    return facts_of(
        task.examples(task.split.train),
        epochs,
        recordings=not task.experiment.data.stored,
        decibels=isinstance(front_end, Spectrogram) and front_end.decibels,
    )


def _base(final: Recipe, epochs: int) -> Recipe:
    """Return the final recipe for fewer epochs, and without early stopping."""
    warm_up = final.warm_up_epochs if epochs == final.epochs else epochs / 5
    return final.model_copy(
        update={
            "epochs": epochs,
            "patience": None,
            "class_weights": "none",
            "warm_up_epochs": min(final.warm_up_epochs, warm_up),
        }
    )


def _described(network: Architecture) -> str:
    cost = network.cost()
    return f"{cost.parameters:,} parameters, {cost.macs / 1e6:.1f} million multiply-accumulates"
