"""What worker processes do: train and score a candidate, train and score a winner.

Each factory loads the data once and returns the function that the runner calls for every job.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.files import publish
from kerasnas.flow.task import scores
from kerasnas.flow.task.frozen import all_values, has_trunks, trunk_space
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.recipes import decided
from kerasnas.flow.task.task import Indices, Task, load_task
from kerasnas.flow.task.trainings import Scores
from kerasnas.flow.workers.fine_tuning import fit_gently
from kerasnas.flow.workers.folds import mean_of_folds
from kerasnas.flow.workers.frozen import FrozenTrunks, candidate_scores
from kerasnas.runs.layout import EnsemblePaths, TrainingPaths
from kerasnas.runs.records import Description, EpochTable
from kerasnas.training.callbacks import CallbackSettings, make_callbacks
from kerasnas.training.examples import Examples
from kerasnas.training.fit import OnEpoch, fit, normalise
from kerasnas.training.recipe import Recipe
from kerasnas.training.texture import fit_texture
from kerasnas.tuners.runners.base import Evaluate, TrialContext


def candidate(run: str, cache: str) -> Evaluate:
    """Train a candidate briefly; score it on the validation clips, by which it is chosen.

    With folds it is trained once for each, and its scores are means over them; it may be stopped
    at any epoch of any fold, and is then scored by those that were begun. The test clips are
    scored, too, and never chosen by: they tell how good the choice was. In a search over trunks,
    which is done anew for each fold that is tested on, they are not looked at.
    """
    task, trunks = _load(run, cache), FrozenTrunks()
    parts = task.candidate_parts()

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        assert trial.directory is not None
        mine, found = task.tuned(values), []
        for number, (name, part) in enumerate(parts.items()):
            training = TrainingPaths(trial.directory)
            training = training if name is None else training.fold(name)
            watch = _Watch(trial, number * mine.experiment.training.candidate.epochs)
            found.append(_train_and_score(task, mine, values, part, training, watch, trunks))
            if watch.stopped:
                break
        return mean_of_folds(task.experiment, found)

    return evaluate


def fold(run: str, cache: str) -> Evaluate:
    """One fold of a `candidate`: values are the candidate's `values`, and the `fold`'s name.

    The result is for `mean_of_folds`.
    """
    task, trunks = _load(run, cache), FrozenTrunks()
    parts = {str(name): part for name, part in task.candidate_parts().items()}

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        assert trial.directory is not None
        mine, part = task.tuned(values["values"]), parts[values["fold"]]
        training, watch = TrainingPaths(trial.directory), _Watch(trial)
        found = _train_and_score(task, mine, values["values"], part, training, watch, trunks)
        return {"metrics": {"loss": found["validation"]["metrics"]["loss"]}, **found}

    return evaluate


def _train_and_score(
    task: Task,
    mine: Task,
    values: dict[str, Any],
    part: tuple[Indices, Indices],
    training: TrainingPaths,
    watch: _Watch,
    trunks: FrozenTrunks,
) -> dict[str, Any]:
    """Train a candidate on the first clips; score it on the second ones, and on test clips.

    Args:
        task: Of the search.
        mine: The same with the settings that the candidate has.
        values: Of the candidate.
        part: Clips to train on, and to score on.
        training: Where to keep what comes of it.
        watch: Told of every epoch.
        trunks: What earlier candidates left.
    """
    architecture, experiment = task.architecture(values), mine.experiment
    recipe = experiment.training.candidate
    if (space := trunk_space(mine, complete := all_values(task, values))) is not None:
        frozen, seed = trunks.of(mine, space), experiment.seed
        scored = candidate_scores(frozen, complete, part, recipe, seed, training, watch.on_epoch)
        return {
            "validation": Scores.of(scored).to_json(),
            "cost": architecture.cost().to_json(),
        }
    held_out = mine.examples(part[1])
    model = _fit(
        architecture,
        mine.examples(part[0], recipe),
        recipe,
        experiment.seed,
        training,
        held_out,
        watch.on_epoch,
        experiment.training.callbacks,
    )
    if experiment.search.keep_models:
        _save(model, training)
    found = {
        "validation": Scores.of(scores.score_model(model, mine, held_out)).to_json(),
        "cost": architecture.cost().to_json(),
    }
    if not has_trunks(task):
        tested = scores.score_model(model, mine, mine.examples(mine.split.test))
        found["test"] = Scores.of(tested).to_json()
    return found


class _Watch:
    """Reports epochs, those of earlier folds counted before them, and keeps the answer."""

    def __init__(self, trial: TrialContext, before: int = 0) -> None:
        self._trial = trial
        self._before = before
        self.stopped = False

    def on_epoch(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Whether to go on."""
        self.stopped = not self._trial.report(self._before + epoch, **metrics)
        return not self.stopped


def final(run: str, cache: str) -> Evaluate:
    """Train an architecture with the final recipe and score it on clips it has not seen.

    Values are the fields of a `Description`. Training takes all clips that are not tested on; only
    a recipe that stops early keeps the validation clips for that (the test clips are never looked
    at).
    """
    untuned, trunks = _load(run, cache), FrozenTrunks()

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        assert trial.directory is not None
        training, described = TrainingPaths(trial.directory), Description.of_fields(values)
        task = untuned.tuned(described.settings)
        recipe = Recipe.model_validate(described.recipe)
        train, validation, test = task.final_parts(described.fold, described.scored_on)
        seed = task.experiment.seed if described.seed is None else described.seed
        complete = all_values(untuned, described.values or {})
        space = None if described.values is None else trunk_space(task, complete)
        if space is not None:
            fold = described.fold
            held_out = (
                task.part("validation") if fold is None else task.fold_part("validation", fold)
            )
            model = fit_gently(
                trunks.of(task, space),
                complete,
                (train, validation),
                held_out[np.isin(held_out, np.concatenate([train, validation]))],
                recipe,
                seed,
                training,
                _Watch(trial).on_epoch,
            )
        else:
            model = _fit(
                Architecture.from_json(described.architecture),
                task.examples(train, recipe),
                recipe,
                seed,
                training,
                task.examples(validation) if len(validation) else None,
                _Watch(trial).on_epoch,
                task.experiment.training.callbacks,
            )
        _save(model, training)
        thresholds = scores.choose_thresholds(model, task, validation)
        result = scores.score_model(model, task, task.examples(test), thresholds)
        part = "test" if described.fold is None else f"fold {described.fold}"
        scores.record(result, task, described.scored_on or part).write(training.evaluation)
        return {"metrics": Scores.of(result).to_json()["metrics"]}

    return evaluate


def ensemble(run: str, cache: str) -> Evaluate:
    """Score the mean answer of several networks on the test clips.

    Values: `members` (directories of final trainings) and `settings`, as of `final`.
    """
    untuned = _load(run, cache)

    def evaluate(values: dict[str, Any], trial: TrialContext) -> dict[str, Any]:
        import keras

        assert trial.directory is not None
        task = untuned.tuned(values["settings"])
        paths = [TrainingPaths(Path(member)).model for member in values["members"]]
        members = [scores.predictor(keras.saving.load_model(path, compile=False)) for path in paths]

        def predict(x: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.mean([np.asarray(member(x)) for member in members], axis=0)

        result = scores.score(predict, task, task.examples(task.split.test))
        evaluation = EnsemblePaths(trial.directory).evaluation
        scores.record(result, task, "test").write(evaluation)
        return {"metrics": Scores.of(result).to_json()["metrics"]}

    return evaluate


def _load(run: str, cache: str) -> Task:
    return load_task(decided(read_experiment(Path(run)), Path(run)), Path(cache))


def _fit(
    architecture: Architecture,
    examples: Examples,
    recipe: Recipe,
    seed: int,
    training: TrainingPaths,
    validation: Examples | None,
    on_epoch: OnEpoch,
    callbacks: Sequence[CallbackSettings],
) -> Any:
    import keras

    training.path.mkdir(exist_ok=True)
    keras.utils.set_random_seed(seed)
    model = architecture.build()
    normalise(model, examples)

    history = fit(
        model,
        examples,
        recipe,
        validation=validation,
        seed=seed,
        on_epoch=on_epoch,
        callbacks=make_callbacks(callbacks, training.path),
    )
    fit_texture(model, examples, recipe.balanced)
    training.require_kept()
    EpochTable(tuple(history)).write(training.history)
    return model


def _save(model: Any, training: TrainingPaths) -> None:
    try:
        model.save(training.half_model)
        publish(training.half_model, training.model)
    finally:
        training.half_model.unlink(missing_ok=True)
