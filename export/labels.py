"""Labels as an export takes them: one number for each output, or the index of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import Floats
from .errors import ExportError, counted
from .forms import TaskKind


def dense_labels(y: Any, clips: int, outputs: tuple[int, ...], task: TaskKind, what: str) -> Floats:
    """Return labels as float32, `(clips, *outputs)`.

    Args:
        y: Of that shape; or, where an output has one number, without its last axis; or, for
            `single_label` and for `sequence` with several classes, indices of classes, as integers
            `(clips,)`, `(clips, 1)` or `(clips, frames)`.
        clips: Number of clips that they belong to.
        outputs: Shape of the model's outputs, without the batch.
        task: What the outputs are.
        what: What to call the clips in messages.

    Raises:
        ExportError: Their shape is another, an index has no class, or they are not finite.
    """
    labels: Any = np.asarray(y)
    classes = outputs[-1]
    if labels.shape == (clips, *outputs):
        pass
    elif classes == 1 and labels.shape == (clips, *outputs[:-1]):
        labels = labels[..., None]
    elif task in ("single_label", "sequence") and np.issubdtype(labels.dtype, np.integer):
        labels = _one_hot(labels, (clips, *outputs[:-1]), classes, what)
    else:
        labels = None
    if labels is None:
        indices = " or indices of classes, (clips,)" if task == "single_label" else ""
        raise ExportError(
            f"the labels of the {what} have shape {np.shape(y)}: (clips, outputs) = "
            f"{(clips, *outputs)}{indices} is needed"
        )
    dense = np.asarray(labels, np.float32)
    if not np.isfinite(dense).all():
        raise ExportError(f"the labels of the {what} have values that are not finite")
    return dense


def _one_hot(indices: Any, shape: tuple[int, ...], classes: int, what: str) -> Any:
    if indices.shape == (*shape, 1):
        indices = indices[..., 0]
    if indices.shape != shape:
        return None
    low, high = int(indices.min(initial=0)), int(indices.max(initial=0))
    if low < 0 or high >= classes:
        raise ExportError(
            f"the labels of the {what} have the index {low if low < 0 else high}: the model has "
            f"{classes} classes, counted from 0"
        )
    return np.eye(classes, dtype=np.float32)[indices]


def checked_classes(classes: Sequence[str] | None, outputs: int) -> tuple[str, ...] | None:
    """Return names of outputs, one a line of text; None where none are given.

    Raises:
        ExportError: There are not as many as outputs, or two are alike, or one is no line.
    """
    if classes is None:
        return None
    if len(classes) != outputs:
        raise ExportError(
            f"{len(classes)} labels ({', '.join(classes)}) were given for a model with "
            f"{counted(outputs, 'output')}: give one for each, in order, or leave classes= out"
        )
    lines = all(name.splitlines() == [name] for name in classes)
    if not lines or len(set(classes)) != len(classes):
        raise ExportError(f"labels must be different lines of text, not {list(classes)}")
    return tuple(classes)
