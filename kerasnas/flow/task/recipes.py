"""The recipe that a run has chosen by trying some, put into its experiment."""

from __future__ import annotations

from pathlib import Path

from kerasnas.experiment import Experiment
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Recipes
from kerasnas.runs.values import Json
from kerasnas.training.presets import with_preset
from kerasnas.training.recipe import Augmentation, Recipe


def decided(experiment: Experiment, run: Path) -> Experiment:
    """Return an experiment with the recipe that a run has chosen, for candidates and winners.

    It is returned as it is where it tries none, or where the run has not come so far.

    Raises:
        DamagedError: `recipes.json` is damaged.
    """
    if not experiment.search.tried_recipes:
        return experiment
    record = Recipes.known(RunPaths(run).recipes)
    return experiment if record is None else with_chosen(experiment, record)


def with_chosen(experiment: Experiment, record: Recipes) -> Experiment:
    """Return an experiment with the recipe that a comparison has chosen."""
    known = experiment.training
    chosen = {name: _with(getattr(known, name), record.recipe) for name in ("candidate", "final")}
    training = known.model_copy(update=chosen)
    return experiment.model_copy(update={"training": training})


def _with(recipe: Recipe, chosen: Json) -> Recipe:
    return with_preset(
        recipe.model_copy(update={"class_weights": "none"}),
        Augmentation.model_validate(chosen["augmentation"]),
        chosen["sampling"],
    )


def take_over_recipe(run: Path, other: Path) -> None:
    """Let a run that has chosen no recipe use another's."""
    theirs, ours = RunPaths(other).recipes, RunPaths(run).recipes
    if theirs.exists() and not ours.exists():
        Recipes.read(theirs).write(ours)
