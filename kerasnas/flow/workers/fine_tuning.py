"""Gentle training of a network that begins with a trunk, kept only where validation clips say so.

Few recordings teach a pretrained network little, and make it forget: see Kumar et al.,
"Fine-tuning can distort pretrained features and underperform out-of-distribution", ICLR 2022.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasnas.flow.task import scores
from kerasnas.flow.task.frozen import FrozenTask
from kerasnas.flow.task.task import Indices
from kerasnas.flow.task.trainings import Scores
from kerasnas.flow.workers.frozen import fit_network
from kerasnas.models.pretrained.settings import FineTuning
from kerasnas.models.space import Values
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.records import FineTuned
from kerasnas.training.fit import OnEpoch, fit
from kerasnas.training.recipe import Recipe

_AVERAGE = 0.9
"""Momentum of the moving average of the weights, which holds them near their start."""


def fit_gently(
    frozen: FrozenTask,
    values: Values,
    part: tuple[Indices, Indices],
    judges: Indices,
    recipe: Recipe,
    seed: int,
    training: TrainingPaths,
    on_epoch: OnEpoch,
) -> Any:
    """Fit a network, and train it further where that makes it better.

    It is judged first: on what is left of the training clips without `judges`, a network is fitted
    and trained further, and `judges` are scored before and after. Only if the loss is lower then,
    the network that is fitted on all training clips is trained further, too.

    Args:
        frozen: The task.
        values: Of the candidate.
        part: Clips to fit on, and those that tell a head that is trained when to stop.
        judges: Clips that judge, of the training clips or of those that stop.
        recipe: Of the training; the number of epochs and the rate are those of
            `model.fine_tuning`.
        seed: Random seed.
        training: Keeps the verdict as `fine_tuning.json`.
        on_epoch: Told of the epochs of a head that is trained.

    Returns:
        A Keras model from features to scores, of stock layers. Where no clips judge, it is fitted
        alone.
    """
    settings, train = frozen.space.settings.fine_tuning, np.setdiff1d(part[0], judges)
    if settings is None or not len(judges) or not len(train):
        return fit_network(frozen, values, part, recipe, seed, training, on_epoch)
    gentle = gentle_recipe(settings, recipe)
    first = first_layer(settings, frozen.space.choice(values).cut)
    judged = fit_network(frozen, values, (train, part[1]), recipe, seed, training, on_epoch)
    fitted, held_out = judged.get_weights(), frozen.task.examples(judges)
    before = scores.score_model(judged, frozen.task, held_out)
    train_further(judged, frozen, train, gentle, first, seed)
    after = scores.score_model(judged, frozen.task, held_out)
    kept = bool(after.metrics["loss"] < before.metrics["loss"])
    FineTuned(
        settings.layers,
        len(judges),
        before=Scores.of(before).to_json()["metrics"],
        after=Scores.of(after).to_json()["metrics"],
        kept=kept,
    ).write(training.fine_tuning)
    if len(train) == len(part[0]):  # the judges were set aside anyway
        if not kept:
            judged.set_weights(fitted)
        return judged
    network = fit_network(frozen, values, part, recipe, seed, training, on_epoch)
    if kept:
        train_further(network, frozen, part[0], gentle, first, seed)
    return network


def gentle_recipe(settings: FineTuning, recipe: Recipe) -> Recipe:
    """Return a recipe with few epochs of a low rate that falls to 0."""
    return recipe.model_copy(
        update={
            "epochs": settings.epochs,
            "learning_rate": settings.learning_rate,
            "schedule": "cosine",
            "warm_up_epochs": 0,
            "weight_average": _AVERAGE,
            "patience": None,
        }
    )


def first_layer(settings: FineTuning, cut: int) -> int:
    """Return the index of the first block whose layers are trained."""
    return {"head": cut, "last": cut - 1, "all": 0}[settings.layers]


def train_further(
    model: Any, frozen: FrozenTask, clips: Indices, recipe: Recipe, first: int, seed: int
) -> None:
    """Train the layers of a model from a block on, in place; statistics of the file stay."""
    import keras

    before = {layer.name: layer.trainable for layer in model.layers}
    try:
        for layer in model.layers:
            index = layer.name.partition("_")[0]
            mine = index.isdigit() and int(index) >= first
            layer.trainable = mine and not isinstance(layer, keras.layers.BatchNormalization)
        fit(model, frozen.task.examples(clips, recipe), recipe, seed=seed)
    finally:
        for layer in model.layers:
            layer.trainable = before[layer.name]
