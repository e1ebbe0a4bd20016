"""What each step of a training sees."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.augmentation import augment
from kerasnas.training.examples import Examples, statistics
from kerasnas.training.recipe import Loss, Recipe
from kerasnas.training.weighting import class_weights, example_weights


class Batch(NamedTuple):
    """Inputs of one step.

    Attributes:
        x: Augmented features, float32 `(batch, frames, bins, channels)`.
        y: Targets, mixed and smoothed, float32 `(batch, classes)`.
        weight: Of every example in the loss, `(batch,)`; None where all weigh the same.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    weight: NDArray[np.float32] | None


class Batches:
    """Batches of examples, as a recipe draws, augments and weighs them.

    Attributes:
        size: Examples of a batch.
        steps: Batches of an epoch: its last one is filled up, or left out when less than half is
            there.
    """

    def __init__(self, examples: Examples, recipe: Recipe, loss: Loss) -> None:
        self.examples, self.recipe, self.loss = examples, recipe, loss
        self.size = min(recipe.batch_size, len(examples))
        self.steps = max(1, round(len(examples) / recipe.batch_size))
        self._fill = (
            statistics(examples)[0] if recipe.augmentation.masks else np.zeros(1, np.float32)
        )
        weights = class_weights(examples) if recipe.balanced else np.zeros(0, np.float32)
        self._class_weights = weights if recipe.class_weights == "balanced" else None
        self._chances: NDArray[Any] | None = None
        if recipe.sampling == "balanced":
            parts = [example_weights(y, weights) for y in examples.labels()]
            chances = np.concatenate(parts).astype(np.float64)
            self._chances = chances / chances.sum()

    def epoch(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of the examples of each step, `(steps, size)`."""
        n, count = len(self.examples), self.steps * self.size
        if self._chances is not None:
            rows = rng.choice(n, count, p=self._chances)
        else:
            rows = np.resize(rng.permutation(n), count)
        return np.asarray(rows, np.int64).reshape(self.steps, self.size)

    def batch(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return the examples at `rows`, augmented."""
        recipe, y = self.recipe, self.examples.y(rows)
        x, heard = self.examples.draw(rows, rng)
        x, y = augment(x, y, recipe.augmentation, self._fill, rng, heard)
        weight = None if self._class_weights is None else example_weights(y, self._class_weights)
        if recipe.label_smoothing:
            spread = 0.5 if self.loss == "binary_crossentropy" else 1 / y.shape[1]
            y = y * (1 - recipe.label_smoothing) + np.float32(spread * recipe.label_smoothing)
        return Batch(x, y, weight)
