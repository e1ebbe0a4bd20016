"""Which recipe suits the recordings: tried on the validation clips before the search, not guessed.

One small network of the space is trained by each of a few recipes (`kerasnas.training.presets`),
for as many epochs as a final training has, or as many as a quarter of the search's time allows;
what that takes comes out of `search.hours`.
First the amounts of augmentation are compared, then, where classes differ in size, whether to draw
them equally often. The mildest recipe that is not clearly worse than the best is used.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError, counted
from kerasnas.experiment import Experiment
from kerasnas.features.settings import Spectrogram
from kerasnas.flow.stages.baselines import judged_by
from kerasnas.flow.stages.limits import Sizes
from kerasnas.flow.stages.start import genes_of, rehearse
from kerasnas.flow.task.recipes import with_chosen
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.flow.task.winners import describe
from kerasnas.flow.workers.pool import FinalTraining, train_missing
from kerasnas.runs.records import Evaluation, RecipeEntry, Recipes
from kerasnas.runs.values import Json
from kerasnas.streams import Stream
from kerasnas.training.presets import (
    OVERHEAD,
    SPEED,
    Facts,
    clip_losses,
    facts_of,
    milder_of_ties,
    presets,
    weightings,
    with_preset,
)
from kerasnas.training.recipe import Recipe
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.propose import Window, uniform
from kerasnas.tuners.runners.environment import available_cores

_DRAWN, _KEPT = 400, 24  # candidates among which a small one is chosen
_QUARTER = 1 / 4
_AT_A_TIME = 2
"""Trainings side by side on the usual machine: the number of epochs must not depend on this one."""
_EVEN = ("macro_f1", "balanced_accuracy", "balanced_loss")
"""Scores in which every class counts alike."""

Losses = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Work:
    """What a search and its recipes take, in multiply-accumulates.

    Attributes:
        network: The network by which recipes are tried.
        epoch: Work of an epoch of it.
        rest: Work of all candidates and winners.
        seconds: Time for all of the search, `search.hours`; None: as long as it takes.
    """

    network: Architecture
    epoch: float
    rest: float
    seconds: float | None = None

    def epochs(self, recipes: int, most: int) -> int:
        """Return how many epochs each of so many recipes can have in a quarter of all time."""
        share = _QUARTER / (1 - _QUARTER) * self.rest
        if self.seconds is not None:
            share = min(share, _QUARTER * self.seconds * SPEED)
        return max(1, min(most, math.floor(share / (recipes * self.epoch))))


def choose_recipe(session: Session) -> Session:
    """Return a session whose experiment has the recipe that suits the recordings best.

    What is trained already is not trained again. `recipes.json` keeps the comparison, which
    decides: whoever works in the run takes the recipe from there.

    Raises:
        KerasnasError: No recipe could be trained.
        TunerError: No candidate lies in the window.
    """
    if not session.experiment.search.tried_recipes:
        return session
    made_from = _digest(session.task)
    record = session.intact(Recipes, session.paths.recipes)
    if record is None or record.made_from != made_from:
        record = _compare(session, made_from)
        record.write(session.paths.recipes)
    session.console.print(in_words(record), markup=False)
    experiment = _without_time_of(with_chosen(session.experiment, record), record)
    return replace(session, task=replace(session.task, experiment=experiment))


def _without_time_of(experiment: Experiment, record: Recipes) -> Experiment:
    """Return an experiment with the hours that the comparison has left, three quarters at least."""
    search = experiment.search
    if search.hours is None:
        return experiment
    at_a_time = min(_workers(experiment), len(record.tried))
    spent = sum(each.seconds or 0.0 for each in record.tried) / at_a_time / 3600
    left = search.hours - min(spent, _QUARTER * search.hours)
    return experiment.model_copy(update={"search": search.model_copy(update={"hours": left})})


def _workers(experiment: Experiment) -> int:
    """Return how many trainings run side by side."""
    search = experiment.search
    return search.workers or max(1, available_cores() // (search.threads or 1))


def in_words(record: Recipes) -> str:
    """Return what came of a comparison, for the screen."""
    losses = "; ".join(
        f"{each.name} {'failed' if each.loss is None else f'{each.loss:.3f}'}"
        for each in record.tried
    )
    epochs = counted(record.epochs, "epoch")
    if record.epochs < record.final_epochs:
        epochs += f" of {record.final_epochs}, a quarter of the time"
    return f"recipe: {record.chosen} (losses on validation clips: {losses}; {epochs})"


def estimate(session: Session) -> str | None:
    """Return how long the search will take, in words; None where nothing was measured for it.

    Args:
        session: Whose recipes have been compared.
    """
    record = session.intact(Recipes, session.paths.recipes)
    known = [each.seconds for each in record.tried if each.seconds] if record else []
    if record is None or not known:
        return None
    search, work = session.experiment.search, work_of(session.task)
    speed = len(known) * record.epochs * work.epoch / sum(known)
    seconds = work.rest / speed / _workers(session.experiment)
    if search.hours is not None:
        seconds = min(seconds, 3600 * search.hours)
    minutes = max(1, round(seconds / 60))
    return (
        f"about {minutes} min to go for {counted(search.trials, 'candidate')} and the winners "
        "(an estimate from the recipes' trainings)"
    )


def work_of(task: Task) -> Work:
    """Return what a search takes, by the multiply-accumulates of candidates drawn at random.

    Raises:
        TunerError: No candidate lies in the window.
    """
    experiment = task.experiment
    search, training = experiment.search, experiment.training
    networks = sorted(_drawn(task), key=lambda network: network.cost().macs)
    small = networks[len(networks) // 4]
    mean = float(np.mean([network.cost().macs + OVERHEAD for network in networks]))
    train, rest = len(task.split.train), len(task.split.validation)
    folds = 1 if search.folds is None else len(task.candidate_parts())
    candidates = 1 if search.supernet is not None else search.trials * folds
    candidate = candidates * training.candidate.epochs * train
    final = len(experiment.winners) * training.final.epochs * (train + rest)
    epoch = train * (small.cost().macs + OVERHEAD)
    seconds = None if search.hours is None else 3600 * search.hours
    return Work(small, epoch, mean * (candidate + final), seconds)


def _drawn(task: Task) -> list[Architecture]:
    """Return some candidates of the search, drawn at random."""
    search, genes = task.experiment.search, genes_of(task)
    if search.architecture is not None:
        return [task.architecture({name: options[0] for name, options in search.tune.items()})]
    rng = np.random.default_rng((task.experiment.seed, Stream.RECIPES))
    window = Window(Sizes(task), search.window.minimum, search.window.maximum)
    proposed = islice(uniform(genes, History(), rng, 0), _DRAWN)
    inside = (values for values in proposed if window.contains(window.cost(values)))
    found = [task.architecture(values) for values in islice(inside, _KEPT)]
    if not found:
        rehearse(task)  # says why, or finds one after more draws than these
        raise KerasnasError(
            f"search.recipes: none of {_DRAWN} candidates lies in search.window: widen it, or set "
            "search.recipes: off"
        )
    return found


def _compare(session: Session, made_from: str) -> Recipes:
    task, experiment = session.task, session.experiment
    facts = _facts(task, experiment.training.final.epochs)
    names, samplings = experiment.search.tried_recipes, tuple(weightings(facts))
    work = work_of(task)
    count = len(names) + len(samplings) - 1
    turns = math.ceil(len(names) / _AT_A_TIME) + len(samplings) - 1  # these wait for the others
    epochs = work.epochs(turns * _AT_A_TIME, experiment.training.final.epochs)
    facts = replace(facts, epochs=epochs)
    session.console.print(
        f"Trying {counted(count, 'recipe')} for {counted(epochs, 'epoch')} each, before the "
        "candidates ...",
        markup=False,
    )
    trial = _Trial(session, work.network, facts, _base(experiment.training.final, epochs), count)
    sampling = samplings[-1]  # else small classes are not learned, and nothing is compared
    first = trial.losses([(name, sampling) for name in names])
    augmentation = names[list(first).index(milder_of_ties(first))]
    chosen = milder_of_ties(trial.losses([(augmentation, each) for each in samplings]))
    losses = trial.found
    ordered = {
        name: losses[name]
        for each in samplings
        for augmented in names
        if (name := recipe_name(augmented, each)) in losses
    }
    return Recipes(
        made_from,
        _words(work.network),
        len(task.examples(task.split.train)),
        epochs,
        experiment.training.final.epochs,
        tuple(trial.entries(ordered)),
        chosen,
        _chosen(facts, augmentation, chosen),
    )


def recipe_name(augmentation: str, sampling: str) -> str:
    """Return what a recipe is called: `light`, or `light + balanced`."""
    return augmentation if sampling == "natural" else f"{augmentation} + {sampling}"


class _Trial:
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
        recordings=front_end.kind != "stored_embedding",
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


def _chosen(facts: Facts, augmentation: str, name: str) -> Json:
    """Return the recipe as it was compared: longer trainings have the same masks, or none.

    Args:
        facts: Those that it was compared by.
        augmentation: Name of its preset.
        name: Its own.
    """
    preset = presets(facts)[augmentation]
    sampling = "natural" if name == augmentation else name.removeprefix(f"{augmentation} + ")
    return {"augmentation": preset.model_dump(mode="json"), "sampling": sampling}


def _words(network: Architecture) -> str:
    cost = network.cost()
    return f"{cost.parameters:,} parameters, {cost.macs / 1e6:.1f} million multiply-accumulates"


def _digest(task: Task) -> str:
    """Return a digest of what decides; settings of the final training alone may change later."""
    experiment = task.experiment
    data = experiment.model_dump(mode="json", by_alias=True)
    search = ("recipes", "window", "limits", "architecture", "tune", "objectives")
    fields = {
        "clips": task.clips.digest(),
        "train": hashlib.sha256(task.split.train.tobytes()).hexdigest(),
        "validation": hashlib.sha256(task.split.validation.tobytes()).hexdigest(),
        "candidate": data["training"]["candidate"],
        "search": {name: data["search"][name] for name in search},
        **{name: data[name] for name in ("seed", "features", "model")},
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
