"""Fitting one model by a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.training.augmentation import augment
from kerasnas.training.examples import Examples
from kerasnas.training.fused import fused_kernels
from kerasnas.training.metrics import evaluate
from kerasnas.training.recipe import Loss, Recipe
from kerasnas.training.weighting import class_weights, example_weights

Epoch = dict[str, float]
OnEpoch = Callable[[int, Epoch], bool | None]

_STATISTICS_ROWS = 64  # examples read at a time


def fit(
    model: keras.Model,
    examples: Examples,
    recipe: Recipe,
    *,
    validation: Examples | None = None,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
) -> list[Epoch]:
    """Train `model` in place.

    The same seed gives the same weights when the model was built from the same seed and
    TensorFlow uses one thread (or deterministic operators). Every step sees a whole batch: an
    epoch's last one is filled up, or left out when less than half is there.

    Args:
        model: Flat and functional, ending with a softmax or sigmoid activation, or with means of
            such scores. It stays uncompiled and keeps stock layers.
        examples: To train on.
        recipe: How.
        validation: Scored after every epoch, by clip: `val_` and the name of every metric of
            `kerasnas.training.metrics.Evaluation`.
        seed: Of the order of examples and of augmentation.
        on_epoch: Called with the epoch, from 1, and its metrics; False ends the training.

    Returns:
        One dictionary for each epoch: `epoch`, `loss`, `accuracy` (of the augmented examples),
        `val_...`, `learning_rate` (at the epoch's end).

    Raises:
        KerasnasError: The recipe and the model's output do not fit, early stopping has nothing to
            watch, or the loss is no longer a number.
    """
    loss = _loss(model, recipe)
    if recipe.patience is not None and validation is None:
        raise KerasnasError(
            f"patience: {recipe.patience} watches the validation loss, and there are no validation "
            "clips: name some, or leave patience out"
        )
    if not len(examples):
        raise KerasnasError("there are no clips to train on: name another part of the data set")
    with fused_kernels(model, recipe.batch_norm_momentum):
        return _Training(model, examples, recipe, loss, seed).run(validation, on_epoch)


def normalise(model: keras.Model, examples: Examples) -> None:
    """Set the mean and variance of the model's `Normalization` layers from training examples.

    A value that is the same in all examples gets the variance 1. A model without such a layer is
    left as it is.
    """
    layers = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Normalization) and layer.weights
    ]
    if not layers:
        return
    mean, variance = statistics(examples)
    for layer in layers:
        shape = layer.adapt_mean.shape
        layer.set_weights([mean.reshape(shape), variance.reshape(shape), np.int64(0)])
        layer.finalize_state()


def statistics(examples: Examples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and variance over examples and frames, each `(bins, channels)`."""
    count, total, squares = 0, 0.0, 0.0
    shift: Any = None  # a value near the mean keeps the squares small
    for start in range(0, len(examples), _STATISTICS_ROWS):
        rows = np.arange(start, min(start + _STATISTICS_ROWS, len(examples)))
        x = examples.x(rows).astype(np.float64)
        shift = x.mean(axis=(0, 1)) if shift is None else shift
        count += x.shape[0] * x.shape[1]
        total += (x - shift).sum(axis=(0, 1))
        squares += ((x - shift) ** 2).sum(axis=(0, 1))
    variance = np.asarray(squares / count - (total / count) ** 2)
    variance = np.where(variance > 1e-8, variance, 1.0)
    return (shift + total / count).astype(np.float32), variance.astype(np.float32)


def _loss(model: keras.Model, recipe: Recipe) -> Loss:
    output = _output(model)
    losses: dict[str, Loss] = {
        "softmax": "categorical_crossentropy",
        "sigmoid": "binary_crossentropy",
    }
    if output not in losses or recipe.loss not in ("auto", losses[output]):
        raise KerasnasError(
            f"the model ends with the activation {output} and the recipe's loss is {recipe.loss}: "
            "softmax goes with categorical_crossentropy, sigmoid with binary_crossentropy"
        )
    return losses[output]


def _output(model: keras.Model) -> str:
    """Name of the activation that scores come from.

    Poolings, products and quotients after it are passed, by their first inputs: scores come before
    their weights.
    """
    tensor = model.outputs[0]
    while not hasattr(operation := tensor._keras_history.operation, "activation"):
        if isinstance(operation, keras.layers.InputLayer):
            return "none"
        tensor = keras.tree.flatten(operation.input)[0]
    return str(getattr(operation.activation, "__name__", "none"))


class _Trainer(keras.Model):
    """The model being trained, compiled; keeps optimiser and loss out of what is saved."""

    l2 = 0.0

    def compute_loss(self, *arguments: Any, **keywords: Any) -> Any:
        loss = super().compute_loss(*arguments, **keywords)
        if not self.l2:
            return loss
        kernels = [weight for weight in self.trainable_weights if "kernel" in weight.name]
        return loss + self.l2 * sum(keras.ops.sum(keras.ops.square(kernel)) for kernel in kernels)


class _Training:
    """State of one training."""

    def __init__(
        self, model: keras.Model, examples: Examples, recipe: Recipe, loss: Loss, seed: int
    ) -> None:
        self.examples, self.recipe, self.loss = examples, recipe, loss
        self.rng = np.random.default_rng(seed)
        self.multi_label = bool((examples.targets.sum(axis=1) != 1).any())
        self.fill = (
            statistics(examples)[0] if recipe.augmentation.masks else np.zeros(1, np.float32)
        )
        self.steps = max(1, round(len(examples) / recipe.batch_size))
        self.average: list[NDArray[Any]] | None = None
        weights = class_weights(examples)
        self.class_weights = weights if recipe.class_weights == "balanced" else None
        self.chances: NDArray[Any] | None = None
        if recipe.sampling == "balanced":
            chances = example_weights(examples.targets[examples.clip], weights).astype(np.float64)
            self.chances = chances / chances.sum()
        self.trainer = _Trainer(model.inputs, model.outputs, name="trainer")
        self.trainer.l2 = recipe.l2
        self.trainer.compile(
            _optimizer(recipe),
            loss=loss,
            weighted_metrics=[
                keras.metrics.BinaryAccuracy(name="accuracy")
                if self.multi_label
                else keras.metrics.CategoricalAccuracy(name="accuracy")
            ],
            # On a CPU, XLA is slower than TensorFlow's own kernels; JAX is nothing without it.
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )

    def run(self, validation: Examples | None, on_epoch: OnEpoch | None) -> list[Epoch]:
        """Train to the end and leave the weights to keep in the model."""
        history: list[Epoch] = []
        best: tuple[float, int, list[NDArray[Any]]] | None = None
        patience = self.recipe.patience
        for epoch in range(1, self.recipe.epochs + 1):
            metrics = self._epoch(epoch)
            last = self.trainer.get_weights() if self.average is not None else None
            if self.average is not None:
                self.trainer.set_weights(self.average)
            if validation is not None:
                metrics |= self._validate(validation)
            history.append(metrics)
            if patience is not None and (best is None or metrics["val_loss"] < best[0]):
                best = (metrics["val_loss"], epoch, self.trainer.get_weights())
            if on_epoch is not None and on_epoch(epoch, metrics) is False:
                break
            if best is not None and patience is not None and epoch - best[1] >= patience:
                break
            if last is not None and epoch < self.recipe.epochs:
                self.trainer.set_weights(last)
        if best is not None:
            self.trainer.set_weights(best[2])
        return history

    def _epoch(self, epoch: int) -> Epoch:
        recipe, size = self.recipe, min(self.recipe.batch_size, len(self.examples))
        order = self._order(self.steps * size)
        loss = accuracy = rate = 0.0
        for step in range(self.steps):
            rate = recipe.learning_rate_at(epoch - 1 + (step + 0.5) / self.steps)
            self.trainer.optimizer.learning_rate = rate
            x, y, weight = self._batch(order[step * size : (step + 1) * size])
            logs = self.trainer.train_on_batch(x, y, sample_weight=weight, return_dict=True)
            loss += float(logs["loss"]) / self.steps
            accuracy += float(logs["accuracy"]) / self.steps
            self._update_average((epoch - 1) * self.steps + step)
        if not math.isfinite(loss):
            raise KerasnasError(
                f"the loss is {loss} in epoch {epoch}: lower learning_rate, or set clip_norm"
            )
        return {
            "epoch": epoch,
            "loss": loss,
            "accuracy": accuracy,
            "learning_rate": rate,
        }

    def _order(self, count: int) -> NDArray[np.int64]:
        n = len(self.examples)
        if self.chances is not None:
            return self.rng.choice(n, count, p=self.chances)
        return np.resize(self.rng.permutation(n), count)

    def _batch(self, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
        recipe, y = self.recipe, self.examples.y(rows)
        x, y = augment(
            self.examples.any_version(rows, self.rng), y, recipe.augmentation, self.fill, self.rng
        )
        weight = None if self.class_weights is None else example_weights(y, self.class_weights)
        if recipe.label_smoothing:
            spread = 0.5 if self.loss == "binary_crossentropy" else 1 / y.shape[1]
            y = y * (1 - recipe.label_smoothing) + np.float32(spread * recipe.label_smoothing)
        return x, y, weight

    def _update_average(self, step: int) -> None:
        if self.recipe.weight_average is None:
            return
        weights = self.trainer.get_weights()
        if self.average is None:
            self.average = weights
            return
        momentum = min(self.recipe.weight_average, (1 + step) / (10 + step))
        for average, weight in zip(self.average, weights, strict=True):
            average += (1 - momentum) * (weight - average)

    def _validate(self, validation: Examples) -> Epoch:
        result = evaluate(
            self.trainer.predict_on_batch,
            validation,
            multi_label=self.multi_label,
            loss=self.loss,
        ).metrics
        return {f"val_{name}": value for name, value in result.items()}


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(recipe.learning_rate, global_clipnorm=recipe.clip_norm)
    optimizer = keras.optimizers.AdamW(
        recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=recipe.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
