"""Choosing the examples that set the ranges of an integer file, and checking what is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .errors import ExportError


def stratified(labels: Floats, count: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of `count` clips, taken from the classes in turn.

    Args:
        labels: `(clips, classes)`; a clip belongs to its highest label, and with several tags to
            the rarest of them.
        count: How many; all clips where there are no more.
        seed: Of the order within a class.

    Returns:
        Rising indices, `(min(count, clips),)`.
    """
    rng = np.random.default_rng(seed)
    frequency = labels.sum(axis=0)
    rarity = np.where(labels > 0, 1 / np.maximum(frequency, 1), 0)
    group = rarity.argmax(axis=1)
    order = rng.permutation(len(labels))
    # The position of each clip among those of its class, then all first ones, all second ones, ...
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(group):
        members = order[group[order] == label]
        turn[members] = np.arange(len(members))
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return np.sort(chosen)


def flat_examples(x: Floats, input_shape: tuple[int, ...], what: str) -> Floats:
    """Examples as one float32 array `(n, *input_shape)`, clips' segments one after another.

    Args:
        x: `(clips, *input_shape)` or `(clips, segments, *input_shape)`.
        input_shape: The model's.
        what: What to call them in messages.

    Raises:
        ExportError: There are none, their shape is another, or they are not finite.
    """
    x = np.asarray(x, np.float32)
    rank = len(input_shape)
    if x.ndim not in (rank + 1, rank + 2) or x.shape[-rank:] != input_shape:
        raise ExportError(
            f"the {what} have shape {x.shape}: (clips, segments, *{input_shape}), the model's "
            "input, is needed"
        )
    if not x.size:
        raise ExportError(f"there are no {what}: the shape is {x.shape}")
    if not np.isfinite(x).all():
        raise ExportError(f"the {what} have values that are not finite: check the front end")
    return x.reshape(-1, *input_shape)


def calibration_examples(x: Floats, input_shape: tuple[int, ...]) -> Floats:
    """Return one segment of each clip, the segments in turn, `(clips, *input_shape)`.

    One is enough, since calibration is slow: clips differ more than their segments do.

    Args:
        x: `(clips, *input_shape)` or `(clips, segments, *input_shape)`.
        input_shape: The model's.

    Raises:
        ExportError: As `flat_examples`, or all values are the same, so that no range can be
            learnt.
    """
    examples = flat_examples(x, input_shape, "calibration clips")
    segments = len(examples) // len(x)
    clips = np.arange(len(x))
    examples = examples[clips * segments + clips % segments]
    if np.ptp(examples) == 0:
        raise ExportError(
            f"all values of the calibration clips are {float(examples.flat[0]):g}: real training "
            "clips are needed to set the integer ranges"
        )
    return examples
