"""Fitting the scores of `kerasnas.blocks.texture.TextureScores` beside a trained network."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from kerasnas.blocks.texture import COSINES, LEVEL, OWN, READINGS, cosines
from kerasnas.training.examples import Examples
from kerasnas.training.fit import output_activation
from kerasnas.training.weighting import class_weights, example_weights

Array = NDArray[np.float32]
Doubles = NDArray[np.float64]

_PENALTY = 10.0  # of half the squared weights of standardised statistics
_CONSTANT = 1e-5  # a statistic that varies less, of its largest value, says nothing


def fit_texture(model: keras.Model, examples: Examples, balanced: bool = False) -> None:
    """Fit the reading of the input's statistics, and average it with the network's own scores.

    The reading is a logistic regression on the statistics of all examples as they are and in their
    versions, without mixtures and masks, which change statistics. It is fitted by itself, since one
    that is trained with the network learns to err with it. Both count one half, before the
    activation. A model without such layers is left as it is.

    Once for a model: each call halves the network's own scores.

    Args:
        model: Trained; with a softmax or sigmoid output.
        examples: What it was trained on.
        balanced: Whether examples of rare classes weigh more.
    """
    layers = {layer.name.rpartition(".")[2]: layer for layer in model.layers}
    if LEVEL not in layers:
        return
    _, _, bins, channels = model.input.shape
    layers[COSINES].set_weights([cosines(bins, channels)])
    readings = [layers[name] for name in READINGS]
    reader = keras.Model(model.input, [layer.input for layer in readings])
    reader.jit_compile = False  # XLA would compile for longer than this takes
    everything = (examples.features, *examples.versions, *examples.noisy)
    statistics = np.concatenate(
        [
            np.concatenate(reader.predict_on_batch(x), axis=1)
            for features in everything
            for x in replace(examples, features=features).read()
        ]
    )
    labels = np.tile(examples.y(np.arange(len(examples))), (len(everything), 1))
    weights = np.ones(len(labels), np.float32)
    if balanced:
        weights = example_weights(labels, class_weights(examples))
    kernel, bias = _regression(statistics, labels, weights, output_activation(model))
    ends = np.cumsum([layer.input.shape[-1] for layer in readings])[:-1]
    for layer, part in zip(readings, np.split(kernel / 2, ends), strict=True):
        layer.set_weights([part, bias / 2] if layer.use_bias else [part])
    layers[OWN].set_weights([weight / 2 for weight in layers[OWN].get_weights()])


def _regression(x: Doubles, y: Array, weights: Array, output: str) -> tuple[Doubles, Doubles]:
    """Kernel `(statistics, classes)` and bias of a penalised logistic regression."""
    from scipy.optimize import minimize
    from scipy.special import expit, logsumexp, softmax

    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation[deviation <= _CONSTANT * np.abs(x).max(axis=0)] = 1
    x = np.column_stack([(x - mean) / deviation, np.ones(len(x))])
    weight = weights[:, None]
    shape = x.shape[1], y.shape[1]
    penalty = np.full((shape[0], 1), _PENALTY)
    penalty[-1] = 0  # the bias

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        kernel = flat.reshape(shape)
        scores = x @ kernel
        if output == "softmax":
            partition = logsumexp(scores, axis=1, keepdims=True)
            probability = softmax(scores, axis=1)
        else:
            partition, probability = np.logaddexp(0, scores), expit(scores)
        penalised = kernel * penalty
        value = (weight * partition).sum() - (weight * y * scores).sum()
        gradient = x.T @ (weight * (probability - y)) + penalised
        return value + (penalised * kernel).sum() / 2, gradient.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B").x.reshape(shape)
    kernel = found[:-1] / deviation[:, None]
    return kernel, found[-1] - mean @ kernel
