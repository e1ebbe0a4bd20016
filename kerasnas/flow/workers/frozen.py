"""Fitting networks that begin with a frozen trunk: by a probe, or with a head that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.architecture import Architecture
from kerasnas.flow.task import scores
from kerasnas.flow.task.frozen import FrozenTask, open_frozen
from kerasnas.flow.task.task import Indices, Task
from kerasnas.models.pretrained.candidate import Fitted
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.pretrained.trunk import Trunk
from kerasnas.models.space import Values
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.records import EpochTable
from kerasnas.training.examples import Examples
from kerasnas.training.fit import OnEpoch, fit
from kerasnas.training.recipe import Augmentation, Recipe
from kerasnas.training.scoring.metrics import ClipScores
from kerasnas.training.weighting import class_weights, example_weights

_NOBODY = np.empty(0, np.int64)


class FrozenTrunks:
    """The task with a frozen trunk that a worker has opened last, and what it keeps for the next.

    Candidates with features of their own (`search.tune`) have tasks of their own.
    """

    def __init__(self) -> None:
        self._opened: FrozenTask | None = None

    def of(self, task: Task, space: PretrainedSpace) -> FrozenTask:
        """Return the task with what the space's unpruned blocks compute of its clips."""
        known = self._opened
        if known is None or known.task.experiment.features != task.experiment.features:
            known = self._opened = open_frozen(task, space)
        return known


def candidate_scores(
    frozen: FrozenTask,
    values: Values,
    part: tuple[Indices, Indices],
    recipe: Recipe,
    seed: int,
    training: TrainingPaths,
    on_epoch: OnEpoch,
) -> ClipScores:
    """Fit a candidate on the first clips of a part, and score it on the second ones.

    Of the versions of clips at other speeds it has those alone that candidates are compared with.

    Args:
        frozen: The task.
        values: Of the candidate.
        part: Clips to fit on, and to score.
        recipe: For heads that are trained, and whether rare classes count more.
        seed: Random seed.
        training: Keeps the epochs of a head that is trained.
        on_epoch: Told of them.
    """
    task, (train, held_out) = frozen.task, part
    versions = frozen.space.settings.candidate_versions
    if not frozen.space.choice(values).trains:
        sums = frozen.candidates.scores(
            _fitted(frozen, values, train, recipe, seed, versions), frozen.rows(held_out)
        )
        answers = scores.replay(_activated(sums, frozen.space.output))
        return scores.score(answers, task, task.examples(held_out))
    _, head, examples = _trained(frozen, values, part, recipe, seed, training, on_epoch, versions)
    assert examples is not None
    return scores.score_model(head, task, examples)


def fit_network(
    frozen: FrozenTask,
    values: Values,
    part: tuple[Indices, Indices],
    recipe: Recipe,
    seed: int,
    training: TrainingPaths,
    on_epoch: OnEpoch,
) -> Any:
    """Return a Keras model from features to scores, of stock layers; arguments as above.

    The second clips of `part` tell a head that is trained when to stop; there may be none.
    """
    if not frozen.space.choice(values).trains:
        training.path.mkdir(exist_ok=True)
        return frozen.candidates.network(_fitted(frozen, values, part[0], recipe, seed))
    tail, head, _ = _trained(frozen, values, part, recipe, seed, training, on_epoch)
    return frozen.candidates.network_with(tail, frozen.space.behind(values), head)


def _fitted(
    frozen: FrozenTask,
    values: Values,
    train: Indices,
    recipe: Recipe,
    seed: int,
    versions: Sequence[int] | None = None,
) -> Fitted:
    rows, weights = frozen.rows(train), None
    if recipe.balanced:
        by_class = class_weights(frozen.task.examples(train))
        weights = example_weights(frozen.candidates.targets[rows], by_class)
    return frozen.candidates.fit(values, rows, seed, weights, versions)


def _trained(
    frozen: FrozenTask,
    values: Values,
    part: tuple[Indices, Indices],
    recipe: Recipe,
    seed: int,
    training: TrainingPaths,
    on_epoch: OnEpoch,
    versions: Sequence[int] | None = None,
) -> tuple[Trunk, Any, Examples | None]:
    """Train what stands behind the cut on activations there.

    Returns:
        The pruned blocks before the cut, the trained model, and the second clips of `part` as it
        takes them; None where there are none.
    """
    import keras

    task, candidates = frozen.task, frozen.candidates
    train, held_out = part
    tail = candidates.tail(values, frozen.rows(train))
    found = candidates.at_cut(tail, frozen.rows(train), frozen.rows(held_out), versions)
    seen, *others = (each.reshape(len(task.clips), -1, *each.shape[1:]) for each in found)
    channels = task.examples(_NOBODY).channels

    def examples(clips: Indices, versions: tuple[NDArray[Any], ...] = ()) -> Examples:
        return Examples.of_clips(seen, task.targets, clips, versions, channels)

    training.path.mkdir(exist_ok=True)
    keras.utils.set_random_seed(seed)
    head = Architecture(seen.shape[2:], frozen.space.behind(values)).build()
    validation = examples(held_out) if len(held_out) else None
    history = fit(
        head,
        examples(train, tuple(others)),
        _on_activations(recipe),
        validation=validation,
        seed=seed,
        on_epoch=on_epoch,
    )
    training.require_kept()
    EpochTable(tuple(history)).write(training.history)
    return tail, head, validation


def _on_activations(recipe: Recipe) -> Recipe:
    """Return a recipe without what is meant for features: masks, shifts and gains."""
    known = recipe.augmentation
    mixup = Augmentation(mixup=known.mixup, mixup_alpha=known.mixup_alpha)
    return recipe.model_copy(update={"augmentation": mixup})


def _activated(sums: NDArray[np.float32], output: str) -> NDArray[np.float32]:
    from scipy.special import expit, softmax

    return np.asarray(expit(sums) if output == "sigmoid" else softmax(sums, axis=1), np.float32)
