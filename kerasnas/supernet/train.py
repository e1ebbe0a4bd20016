"""Training a supernet, strictly fair (Li et al., Interspeech 2020, section 2.2.2, Algorithm 1).

Deviations: none of the algorithm. Gradients of all paths are summed, so that a clipping norm is one
of their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.streams import StepStream
from kerasnas.supernet import checkpoint
from kerasnas.supernet.supernet import Supernet
from kerasnas.training.batches import Batches
from kerasnas.training.examples import Examples
from kerasnas.training.fit import Epoch, OnEpoch, average_momentum, check_loss, loss_of
from kerasnas.training.recipe import Recipe


def train(
    supernet: Supernet,
    examples: Examples,
    recipe: Recipe,
    *,
    seed: int = 0,
    file: Path | None = None,
    save_every: int | None = None,
    on_epoch: OnEpoch | None = None,
    data: Mapping[str, str] | None = None,
) -> list[Epoch]:
    """Train `supernet` in place; where `file` exists, from where it was written.

    A step draws as many paths as a choice has options and updates once. What a step draws depends
    on the seed and its number alone, so that a resumed training equals an undisturbed one.

    Args:
        supernet: With normalised inputs, where it has `Normalize` blocks.
        examples: To train on.
        recipe: How. Its moving average of the weights, if any, is what is left in the supernet.
        seed: Of the order of examples, of augmentation and of the paths.
        file: Where the state is kept, after every epoch and at the end. `Supernet.load` reads it.
        save_every: Steps between further writings within an epoch.
        on_epoch: Called with the epoch, from 1, and its metrics; False ends the training.
        data: What tells the examples from others, in words; it is kept in `file`.

    Returns:
        One dictionary for each epoch, resumed ones included: `epoch`, `loss` (mean over the
        paths), `learning_rate` (at the epoch's end).

    Raises:
        KerasnasError: The recipe stops early, which needs a validation that a supernet has not, or
            its loss does not fit the output; the file holds another space or training; the loss is
            no longer a number.
    """
    if recipe.patience is not None:
        raise KerasnasError(
            f"patience: {recipe.patience} watches one network's validation loss, and a supernet "
            "holds many networks: leave patience out"
        )
    if not len(examples):
        raise KerasnasError("there are no clips to train on: name another part of the data set")
    training = _Training(supernet, examples, recipe, seed, file, data or {})
    return training.run(save_every, on_epoch)


class _Training:
    """State of one training: the weights, the optimiser's, their average, and the step."""

    def __init__(
        self,
        supernet: Supernet,
        examples: Examples,
        recipe: Recipe,
        seed: int,
        file: Path | None,
        data: Mapping[str, str],
    ) -> None:
        self.supernet, self.recipe, self.seed, self.file = supernet, recipe, seed, file
        self.batches = Batches(examples, recipe, loss_of(supernet.tail, recipe))
        self.settings = {
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
            "examples": len(examples),
            "data": dict(data),
        }
        self.step = 0
        self.loss = 0.0  # of the epoch so far
        self.history: list[Epoch] = []
        self.average: list[NDArray[Any]] | None = None
        resumed = self._read()
        self.fair_step, self.optimizer = supernet.fair_step(recipe)
        if resumed is not None:
            for variable, value in zip(self.optimizer.variables, resumed, strict=True):
                variable.assign(value)

    def run(self, save_every: int | None, on_epoch: OnEpoch | None) -> list[Epoch]:
        """Train to the end and leave the weights to keep in the supernet."""
        steps = self.batches.steps
        while (epoch := self.step // steps) < self.recipe.epochs:
            order = self.batches.epoch(
                np.random.default_rng((self.seed, StepStream.EXAMPLES, epoch))
            )
            for rows in order[self.step % steps :]:
                self._take(rows)
                if save_every and self.step % save_every == 0 and self.step % steps:
                    self._write()
            rate = float(self.optimizer.learning_rate.numpy())
            check_loss(self.loss, epoch + 1)
            self.history.append({"epoch": epoch + 1, "loss": self.loss, "learning_rate": rate})
            self.loss = 0.0
            self._write()
            if on_epoch is not None and on_epoch(epoch + 1, self.history[-1]) is False:
                break
        if self.average is not None:
            self.supernet.set_variables(self.average)
        return self.history

    def _take(self, rows: NDArray[np.int64]) -> None:
        rng = np.random.default_rng((self.seed, StepStream.PATHS, self.step))
        steps = self.batches.steps
        rate = self.recipe.learning_rate_at((self.step + 0.5) / steps)
        self.optimizer.learning_rate = rate
        batch = self.batches.batch(rows, rng)
        loss = self.fair_step(self.supernet.space.fair_paths(rng), *batch)
        self.loss += loss / steps
        if self.recipe.weight_average is not None:
            self._update_average(average_momentum(self.recipe.weight_average, self.step))
        self.step += 1

    def _update_average(self, momentum: float) -> None:
        weights = self.supernet.variables()
        if self.average is None:
            self.average = weights
            return
        for average, weight in zip(self.average, weights, strict=True):
            if np.issubdtype(weight.dtype, np.floating):
                average += (1 - momentum) * (weight - average)

    def _write(self) -> None:
        if self.file is None:
            return
        state = {
            "settings": self.settings,
            "step": self.step,
            "loss": self.loss,
            "history": self.history,
        }
        arrays = {
            "weight": self.supernet.variables(),
            "optimizer": [variable.numpy() for variable in self.optimizer.variables],
        }
        if self.average is not None:
            arrays["average"] = self.average
        checkpoint.write(self.file, self.supernet.space, state, arrays)

    def _read(self) -> list[NDArray[Any]] | None:
        """Take up what the file holds; the optimiser's variables are returned."""
        if self.file is None or not self.file.exists():
            return None
        _, state, arrays = checkpoint.read(self.file, self.supernet.space)
        self._check(state)
        self.supernet.set_variables(arrays["weight"])
        self.step, self.loss, self.history = state["step"], state["loss"], state["history"]
        self.average = arrays.get("average")
        return arrays["optimizer"]

    def _check(self, state: dict[str, Any]) -> None:
        found = state.get("settings")
        if found == self.settings:
            return
        if found is None:
            raise KerasnasError(
                f"{self.file} holds a supernet without the state of a training: name another file "
                "to write to"
            )
        different = [
            f"{name} was {old!r} and is {new!r}"
            for name, old, new in _differences(found, self.settings)
        ]
        raise KerasnasError(
            f"{self.file} was written by another training: {'; '.join(different)}. Give what it "
            "had, or another file"
        )


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    """Entries of two nested dictionaries that differ, by dotted name."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            difference
            for key in sorted(old.keys() | new.keys())
            for difference in _differences(
                old.get(key), new.get(key), f"{name}.{key}" if name else key
            )
        ]
    return [] if old == new else [(name, old, new)]
