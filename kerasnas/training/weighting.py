"""Rare classes: what examples weigh in the loss, or how often they are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.examples import Examples

Array = NDArray[np.float32]


def class_weights(examples: Examples) -> Array:
    """Weight of each class, `(classes,)`: labels / (classes that occur * labels of the class).

    With one label per example these weights have the mean 1 over the examples. A class without
    examples weighs 0.
    """
    counts = np.zeros(examples.targets.shape[1], np.float32)
    for y in examples.labels():
        counts += y.sum(axis=0)
    weights = np.zeros_like(counts)
    return np.divide(counts.sum() / max(1, (counts > 0).sum()), counts, weights, where=counts > 0)


def example_weights(y: Array, weights: Array) -> Array:
    """Weight of each example, `(n,)`, from labels `(n, classes)`, fractions after mixup.

    The mean of its classes' weights; 1 for an example without any label.
    """
    share = y.sum(axis=1)
    ones = np.ones(len(y), np.float32)
    return np.divide(y @ weights, share, ones, where=share > 0).astype(np.float32)
