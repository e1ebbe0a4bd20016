"""Fitting one model by a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.export.keras_model.private import operation_of
from kerasnas.training.batches import Batches
from kerasnas.training.decay import with_gradient_decay
from kerasnas.training.examples import Examples, statistics
from kerasnas.training.fused import FusedAdam, FusedAdamW, fused_kernels
from kerasnas.training.recipe import Loss, Recipe
from kerasnas.training.scoring.metrics import evaluate

Epoch = dict[str, float]
OnEpoch = Callable[[int, Epoch], bool | None]


def fit(
    model: keras.Model,
    examples: Examples,
    recipe: Recipe,
    *,
    validation: Examples | None = None,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    callbacks: Sequence[Any] = (),
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
            `kerasnas.training.scoring.metrics.ClipScores`.
        seed: Of the order of examples and of augmentation.
        on_epoch: Called with the epoch, from 1, and its metrics; False ends the training.
        callbacks: New `keras.callbacks.Callback` objects; see `kerasnas.training.callbacks`.

    Returns:
        One dictionary for each epoch: `epoch`, `loss`, `accuracy` (of the augmented examples),
        `val_...`, `learning_rate` (at the epoch's end).

    Raises:
        KerasnasError: The recipe and the model's output do not fit, early stopping has nothing to
            watch, or the loss is no longer a number.
    """
    loss = loss_of(model, recipe)
    if recipe.patience is not None and validation is None:
        raise KerasnasError(
            f"patience: {recipe.patience} watches the validation loss, and there are no validation "
            "clips: name some, or leave patience out"
        )
    if not len(examples):
        raise KerasnasError("there are no clips to train on: name another part of the data set")
    with fused_kernels(model, recipe.batch_norm_momentum):
        return _Training(model, examples, recipe, loss, seed, callbacks).run(validation, on_epoch)


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


def loss_of(model: keras.Model, recipe: Recipe) -> Loss:
    """Return the loss for the activation that the model ends with.

    Raises:
        KerasnasError: There is none, or it is not the recipe's.
    """
    output = output_activation(model)
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


def output_activation(model: keras.Model) -> str:
    """Name of the activation that scores come from.

    Poolings, products and quotients after it are passed, by their first inputs: scores come before
    their weights.
    """
    tensor = model.outputs[0]
    while not hasattr(operation := operation_of(tensor), "activation"):
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
        self,
        model: keras.Model,
        examples: Examples,
        recipe: Recipe,
        loss: Loss,
        seed: int,
        callbacks: Sequence[Any],
    ) -> None:
        self.recipe, self.loss = recipe, loss
        self.batches = Batches(examples, recipe, loss)
        self.rng = np.random.default_rng(seed)
        self.multi_label = examples.multi_label
        self.average: list[NDArray[Any]] | None = None
        self.trainer = _Trainer(model.inputs, model.outputs, name="trainer")
        self.trainer.l2 = recipe.l2
        self.trainer.compile(
            optimizer_of(recipe),
            loss=loss,
            weighted_metrics=[
                keras.metrics.BinaryAccuracy(name="accuracy")
                if self.multi_label
                else keras.metrics.CategoricalAccuracy(name="accuracy")
            ],
            # On a CPU, XLA is slower than TensorFlow's own kernels; JAX is nothing without it.
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )
        # TensorFlow traces a step twice that makes variables, and tracing takes longest.
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        self.callbacks = keras.callbacks.Callback()  # does nothing
        if callbacks:
            self.callbacks = keras.callbacks.CallbackList(
                list(callbacks),
                model=self.trainer,
                epochs=recipe.epochs,
                steps=self.batches.steps,
                verbose=0,
            )

    def run(self, validation: Examples | None, on_epoch: OnEpoch | None) -> list[Epoch]:
        """Train to the end and leave the weights to keep in the model."""
        history: list[Epoch] = []
        best: tuple[float, int, list[NDArray[Any]]] | None = None
        patience = self.recipe.patience
        self.callbacks.on_train_begin()
        for epoch in range(1, self.recipe.epochs + 1):
            self.callbacks.on_epoch_begin(epoch - 1)
            metrics = self._epoch(epoch)
            last = self.trainer.get_weights() if self.average is not None else None
            if self.average is not None:
                self.trainer.set_weights(self.average)
            if validation is not None:
                metrics |= self._validate(validation)
            history.append(metrics)
            if patience is not None and (best is None or metrics["val_loss"] < best[0]):
                best = (metrics["val_loss"], epoch, self.trainer.get_weights())
            self.callbacks.on_epoch_end(epoch - 1, _logs(metrics))
            if on_epoch is not None and on_epoch(epoch, metrics) is False:
                break
            if self.trainer.stop_training:
                break
            if best is not None and patience is not None and epoch - best[1] >= patience:
                break
            if last is not None and epoch < self.recipe.epochs:
                self.trainer.set_weights(last)
        if best is not None:
            self.trainer.set_weights(best[2])
        self.callbacks.on_train_end(_logs(history[-1]))
        return history

    def _epoch(self, epoch: int) -> Epoch:
        recipe, steps = self.recipe, self.batches.steps
        loss = accuracy = rate = 0.0
        for step, rows in enumerate(self.batches.epoch(self.rng)):
            rate = recipe.learning_rate_at(epoch - 1 + (step + 0.5) / steps)
            self.trainer.optimizer.learning_rate = rate
            x, y, weight = self.batches.batch(rows, self.rng)
            self.callbacks.on_train_batch_begin(step)
            logs = self.trainer.train_on_batch(x, y, sample_weight=weight, return_dict=True)
            loss += float(logs["loss"]) / steps
            accuracy += float(logs["accuracy"]) / steps
            self.callbacks.on_train_batch_end(step, logs)
            self._update_average((epoch - 1) * steps + step)
        check_loss(loss, epoch)
        return {
            "epoch": epoch,
            "loss": loss,
            "accuracy": accuracy,
            "learning_rate": rate,
        }

    def _update_average(self, step: int) -> None:
        if self.recipe.weight_average is None:
            return
        weights = self.trainer.get_weights()
        if self.average is None:
            self.average = weights
            return
        momentum = average_momentum(self.recipe.weight_average, step)
        for average, weight in zip(self.average, weights, strict=True):
            average += (1 - momentum) * (weight - average)

    def _validate(self, validation: Examples) -> Epoch:
        self.callbacks.on_test_begin()
        result = evaluate(
            self.trainer.predict_on_batch,
            validation,
            multi_label=self.multi_label,
            loss=self.loss,
        ).metrics
        self.callbacks.on_test_end(dict(result))
        return {f"val_{name}": value for name, value in result.items()}


def _logs(metrics: Epoch) -> dict[str, float]:
    """Return what callbacks are told of an epoch."""
    return {name: value for name, value in metrics.items() if name != "epoch"}


def average_momentum(momentum: float, step: int) -> float:
    """Momentum of the weights' moving average at a step, from 0: smaller at first, to catch up."""
    return min(momentum, (1 + step) / (10 + step))


def check_loss(loss: float, epoch: int) -> None:
    """Refuse to go on when the loss is no longer a number.

    Raises:
        KerasnasError: It is not.
    """
    if not math.isfinite(loss):
        raise KerasnasError(
            f"the loss is {loss} in epoch {epoch}: lower learning_rate, or set clip_norm"
        )


def optimizer_of(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return the recipe's optimiser; the learning rate is set before every step."""
    clipping = {"global_clipnorm": recipe.clip_norm, "clipvalue": recipe.clip_value}
    fused = keras.backend.backend() == "tensorflow"
    if recipe.optimizer == "adam":
        adam = FusedAdam if fused else keras.optimizers.Adam
        decaying = with_gradient_decay(adam, recipe.weight_decay)
        return decaying(recipe.learning_rate, **clipping)
    adamw = FusedAdamW if fused else keras.optimizers.AdamW
    optimizer = adamw(
        recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        **clipping,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
