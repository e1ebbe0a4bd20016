"""Recipes to be tried before a search: how much to augment, and whether to draw rare classes more.

What suits a folder of recordings is not known before it is tried. These are few and far apart, each
safe for whatever is recorded: no sound is cut in two, masks are as long as the sounds ask for, and
pitch changes by no more than a tenth. `benchmarks/RESULTS.md` shows how they compare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasnas.training.examples import Examples
from kerasnas.training.recipe import Augmentation, Masks, Recipe
from kerasnas.training.sounding import sounding

Array = NDArray[np.float32]

SPEEDS = (0.9, 1.1)
SHIFT = 0.1
MASK = 0.1
MIXUP_ALPHA = 0.2
"""Most mixtures are nearly one example: even mixtures need more epochs than there is time for."""

MASKED_EPOCHS = 60
"""What masks hide has to be seen at other times: shorter trainings are better off without them."""

STEPS, FEWEST, MOST = 1000, 12, 100
"""What `epochs_for` goes by: as many steps as a search of 1 000 clips has time for."""

OVERHEAD = 1_000_000
"""Multiply-accumulates that take as long as all else an example costs: very roughly."""

SPEED = 0.9e9
"""Multiply-accumulates of training in a second on the usual machine, of two cores: very roughly. A
number that was measured would differ whenever a search is made again."""

_EPSILON = 1e-7
LEAST = 1e-3
"""Score that a clip's own class has at least, when recipes are compared."""

WORTH_BALANCING = 2.0
"""Clips of the largest class by those of the smallest, from which on balancing is tried."""


@dataclass(frozen=True)
class Facts:
    """What presets depend on.

    Attributes:
        frames: Frames of an example.
        padding: Mean share of an example's frames that are padding or digital silence.
        bins: Bins of a frame, or values of an embedding.
        recordings: Whether features are made of recordings, which can be played faster.
        decibels: Whether features are in dB, so that sounds can be added up.
        counts: Examples of each class, `(classes,)`.
        multi_label: Whether examples carry any number of labels.
        examples: Number of examples that are trained on.
        epochs: Passes over them.
    """

    frames: int
    padding: float
    bins: int
    recordings: bool
    decibels: bool
    counts: tuple[int, ...]
    multi_label: bool
    examples: int
    epochs: int


def facts_of(
    examples: Examples, epochs: int, *, recordings: bool = True, decibels: bool = True
) -> Facts:
    """Return the facts about training examples.

    Args:
        examples: That are trained on.
        epochs: Passes over them.
        recordings: Whether their features are made of recordings.
        decibels: Whether their features are in dB.
    """
    padding, counts = 0.0, np.zeros(examples.targets.shape[1], np.int64)
    for x in examples.read():
        heard = sounding(x)
        padding += float(np.sum(1 - (heard.stop - heard.start) / x.shape[1]))
    for y in examples.labels():
        counts += (y > 0.5).sum(axis=0)
    return Facts(
        frames=examples.features.shape[2],
        padding=padding / max(1, len(examples)),
        bins=examples.features.shape[3],
        recordings=recordings,
        decibels=decibels,
        counts=tuple(counts.tolist()),
        multi_label=examples.multi_label,
        examples=len(examples),
        epochs=epochs,
    )


def presets(facts: Facts) -> dict[str, Augmentation]:
    """Return augmentations by name, from the mildest on: `none`, `light`, `strong`.

    - `none` leaves examples as they are.
    - `light` plays clips a tenth faster or slower, and moves them a little in time.
    - `strong` also mixes examples, mostly unevenly, and in long trainings masks a stretch of frames
      and of bins.
    """
    light = Augmentation(
        speeds=SPEEDS if facts.recordings else (), time_shift=_shift(facts.frames, facts.padding)
    )
    strong = light.model_copy(
        update={
            "mixup": "beta",
            "mixup_alpha": MIXUP_ALPHA,
            "mixup_domain": "power" if facts.decibels else "features",
        }
    )
    if facts.epochs >= MASKED_EPOCHS:
        masks = {"time_masks": _masks(facts.frames * (1 - facts.padding))}
        if facts.recordings:  # the order of an embedding's values means nothing
            masks["frequency_masks"] = _masks(facts.bins)
        strong = strong.model_copy(update=masks)
    return {"none": Augmentation(), "light": light, "strong": strong}


def weightings(facts: Facts) -> dict[str, str]:
    """Return ways to draw examples by name, from the mildest on: values of `Recipe.sampling`.

    Balanced sampling is tried where the largest class has twice the examples of the smallest.
    """
    counts = [count for count in facts.counts if count]
    if not counts or max(counts) < WORTH_BALANCING * min(counts):
        return {"natural": "natural"}
    return {"natural": "natural", "balanced": "balanced"}


def with_preset(recipe: Recipe, augmentation: Augmentation, sampling: str = "natural") -> Recipe:
    """Return a recipe with a preset's augmentation, and the noise and rooms that it had.

    Raises:
        ValidationError: The recipe shuffles and mixes, which speeds do not go together with.
    """
    kept = {"noise": recipe.augmentation.noise, "rooms": recipe.augmentation.rooms}
    fields = {name: getattr(recipe, name) for name in Recipe.model_fields}
    return Recipe(
        **fields | {"augmentation": augmentation.model_copy(update=kept), "sampling": sampling}
    )


def clip_losses(
    predictions: Array, labels: Array, *, multi_label: bool, balanced: bool = False
) -> NDArray[np.float64]:
    """Return the loss of each clip, `(clips,)`, for `milder_of_ties`.

    Losses tell recipes apart on fewer clips than wrong answers do.

    Args:
        predictions: Scores, `(clips, classes)`.
        labels: Zeros and ones, `(clips, classes)`.
        multi_label: False: the cross-entropy, of a score that is at least `LEAST`, so that no
            single clip decides. True: the mean binary cross-entropy over classes.
        balanced: With one label a clip, whether every class counts alike, whatever its number of
            clips: the mean is then the mean over the classes.
    """
    if multi_label:
        p = np.clip(predictions.astype(np.float64), _EPSILON, 1 - _EPSILON)
        entropy = -(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        return np.asarray(entropy.mean(axis=1), np.float64)
    label = labels.argmax(axis=1)
    given = predictions[np.arange(len(label)), label].astype(np.float64)
    losses = -np.log(np.clip(given, LEAST, 1))
    if not balanced:
        return np.asarray(losses, np.float64)
    counts = np.bincount(label, minlength=labels.shape[1])
    return np.asarray(losses * len(label) / (counts > 0).sum() / counts[label], np.float64)


def milder_of_ties(errors: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the mildest recipe that is not clearly worse than the best.

    Clearly worse is more than one standard error of the mean difference, clip by clip: a single
    clip is never enough.

    Args:
        errors: By name, from the mildest recipe on: the loss of each validation clip, `(clips,)`,
            the same clips for all; smaller is better, NaN where training failed.

    Raises:
        ValueError: There is no recipe, or none without NaN.
    """
    means = {name: float(np.mean(each)) for name, each in errors.items()}
    finite = [name for name, mean in means.items() if math.isfinite(mean)]
    if not finite:
        raise ValueError(f"no recipe of {', '.join(errors) or 'none'} has errors that are numbers")
    best = min(finite, key=lambda name: means[name])
    for name in finite:
        difference = errors[name] - errors[best]
        error = float(np.std(difference, ddof=min(1, len(difference) - 1)))
        if means[name] - means[best] <= error / math.sqrt(len(difference)) + _EPSILON:
            return name
    return best


def _shift(frames: int, padding: float) -> float:
    """Return a shift that is at least a frame, and none where there is but one frame."""
    return SHIFT if frames * SHIFT >= 1 or padding else 0.0


def _masks(length: float) -> Masks:
    """Return one mask of a tenth, or none where a tenth is less than a frame or bin."""
    return Masks(count=1, width=MASK) if length * MASK >= 1 else Masks()


def epochs_for(examples: int, batch: int, share: float = 1.0) -> int:
    """Return how many epochs to train for: many of few examples, few of many.

    The number of steps grows with the square root of the number of examples, from `STEPS` at 1 000
    on, and no example is seen less than `FEWEST` or more than `MOST` times.

    Args:
        examples: That are trained on.
        batch: Examples of a step.
        share: Of a full training: candidates, which are only ranked, need a part of it.
    """
    steps = max(1, round(examples / batch))
    epochs = STEPS * math.sqrt(max(1.0, examples / 1000)) / steps
    return max(1, round(share * min(MOST, max(FEWEST, epochs))))
