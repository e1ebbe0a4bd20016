"""What a model's outputs mean, and how those of a file compare with the Keras model's.

| task | outputs | compared by |
|---|---|---|
| `single_label` | `(classes,)`, two or more | the best class |
| `multi_label` | `(classes,)`, each 0 to 1 | each tag, on either side of `DECISION_THRESHOLD` |
| `binary` | `(1,)`, 0 to 1 | the side of the threshold, and the mean error |
| `regression` | `(numbers,)`, in units of their own | the mean error, against their range |
| `sequence` | `(frames, classes)`, each 0 to 1 | each frame: its best class, or each of its tags |

The best class of a frame decides where its scores sum to one, as behind a softmax.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, finite_or_none
from ..errors import ExportError
from ..forms import TaskKind
from .paired import upper_bound

DECISION_THRESHOLD = 0.5
"""Score from which a tag counts as present."""
_ROUNDING = 1e-3
"""What probabilities may miss 0, 1, or their sum, by float arithmetic."""


class OutputError(NamedTuple):
    """How far numbers are off, for `binary` and `regression`.

    Attributes:
        mean: Mean absolute difference from the Keras model's numbers, in their units.
        range: What they can span: 1 for probabilities; for `regression` the largest range that one
            of the numbers had, in the labels or else in the Keras model's.
        labels: Mean absolute difference from the labels; None without labels.
        labels_before: The same of the Keras model's numbers.
    """

    mean: float
    range: float
    labels: float | None = None
    labels_before: float | None = None

    @property
    def share(self) -> float:
        """The mean difference as a share of the range."""
        return self.mean / self.range

    def to_json(self) -> dict[str, float | None]:
        """Return all fields by name, and the share."""
        fields = {**self._asdict(), "share": self.share}
        return {name: finite_or_none(value) for name, value in fields.items()}


@dataclass(frozen=True)
class Parity:
    """How a file's scores compare with the Keras model's.

    Attributes:
        largest_difference: Between any two scores of one segment; None where the file's scores are
            not finite, as when a weight is too large for float16.
        agreement: Share of equal decisions; None for `regression`, which decides nothing.
        accuracy: Share of right decisions; None for `regression`, and without labels.
        drop: How much less that is than the Keras model's; for `regression`, how much more the
            numbers differ from the labels, as a share of the range. None without labels.
        drop_bounds: The one-sided 95 % lower and upper confidence bound of the drop.
        error: How far numbers are off, for `binary` and `regression`.
        clips: How many clips were compared.
    """

    largest_difference: float | None
    agreement: float | None
    accuracy: float | None = None
    drop: float | None = None
    drop_bounds: tuple[float, float] | None = None
    error: OutputError | None = None
    clips: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what a report holds of it."""
        drop = {"mean": self.drop, "bounds": self.drop_bounds and list(self.drop_bounds)}
        return {
            "largest_difference": self.largest_difference,
            "agreement": self.agreement,
            "accuracy": self.accuracy,
            "accuracy_drop": None if self.drop is None else drop,
            "error": None if self.error is None else self.error.to_json(),
        }


def require_fitting_shape(task: TaskKind, shape: tuple[int, ...]) -> None:
    """Refuse a task that outputs of this shape, without the batch, cannot have.

    Raises:
        ExportError: The message names the tasks that fit.
    """
    rank = 2 if task == "sequence" else 1
    fits = len(shape) == rank
    if fits and rank == 1:
        fits = shape[0] == 1 if task == "binary" else shape[0] > 1 or task != "single_label"
    if fits:
        return
    if len(shape) == 2:
        remedy = "task='sequence' takes scores of frames, (frames, classes)"
    elif shape == (1,):
        remedy = "one number is task='binary' (a probability) or task='regression'"
    else:
        remedy = "give task='single_label', 'multi_label' or 'regression'"
    shown = ", ".join(map(str, (None, *shape)))
    raise ExportError(f"task={task!r} does not fit an output of shape ({shown}): {remedy}")


def require_fitting_scores(task: TaskKind, scores: Floats) -> None:
    """Refuse scores that are no probabilities, for a task that decides at a threshold.

    Raises:
        ExportError: The message tells their range.
    """
    if task in ("single_label", "regression"):
        return
    low, high = float(scores.min()), float(scores.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ExportError(
            f"task={task!r} takes scores between 0 and 1, the model's lie between {low:g} and "
            f"{high:g}: end it with a sigmoid or softmax, or give task='regression'"
        )


def excludes(task: TaskKind, scores: Floats) -> bool:
    """Return whether the highest of some scores decides, rather than each at the threshold.

    Args:
        task: What the scores are.
        scores: The Keras model's, `(n, classes)` or `(n, frames, classes)`.
    """
    if task == "sequence":
        sums = scores.sum(axis=-1)
        return scores.shape[-1] > 1 and bool(np.abs(sums - 1).max() <= _ROUNDING)
    return task == "single_label"


def decisions(scores: Floats, exclusive: bool) -> NDArray[Any]:
    """Return decisions on clips, `(clips, decisions)`.

    Args:
        scores: `(clips, classes)` or `(clips, frames, classes)`.
        exclusive: Whether the best class is chosen, or each tag by `DECISION_THRESHOLD`.
    """
    decided = scores.argmax(axis=-1) if exclusive else scores >= DECISION_THRESHOLD
    return decided.reshape(len(scores), -1)


def clip_scores(scores: Floats, segments: int) -> Floats:
    """Return the mean of `(clips * segments, ...)` over each clip's segments, `(clips, ...)`."""
    return scores.reshape(-1, segments, *scores.shape[1:]).mean(axis=1)


def compare(
    scores: Floats,
    reference: Floats,
    task: TaskKind,
    labels: Floats | None = None,
    segments: int = 1,
) -> Parity:
    """Compare scores of a file with those of the Keras model.

    Args:
        scores: Of the file's segments, `(clips * segments, *outputs)`.
        reference: The Keras model's.
        task: What they are.
        labels: Of the clips, `(clips, *outputs)`; None where they are not known.
        segments: Of each clip; what is compared is the mean over them.
    """
    largest = finite_or_none(float(np.abs(scores - reference).max()))
    received, expected = clip_scores(scores, segments), clip_scores(reference, segments)
    error = None
    if task in ("binary", "regression"):
        error = _error(received, expected, task, labels)
    if task == "regression":
        assert error is not None
        drop, bounds = _added_error(received, expected, labels, error.range)
        return Parity(largest, None, None, drop, bounds, error, len(received))
    exclusive = excludes(task, reference)
    decided, before = decisions(received, exclusive), decisions(expected, exclusive)
    agreement = float(np.mean(decided == before))
    if labels is None:
        return Parity(largest, agreement, error=error, clips=len(received))
    truth = decisions(labels, exclusive)
    right, right_before = (np.mean(some == truth, axis=1) for some in (decided, before))
    drop, bounds = _paired(right_before - right)
    return Parity(largest, agreement, float(right.mean()), drop, bounds, error, len(received))


def _paired(lost: NDArray[Any]) -> tuple[float, tuple[float, float]]:
    """Return the mean of what each clip lost, and its bounds."""
    return float(lost.mean()), (-upper_bound(-lost), upper_bound(lost))


def _error(
    received: Floats, expected: Floats, task: TaskKind, labels: Floats | None
) -> OutputError:
    spanned = expected if labels is None else labels
    span = 1.0 if task == "binary" else float(np.ptp(spanned, axis=0).max()) or 1.0
    mean = float(np.abs(received - expected).mean())
    if labels is None:
        return OutputError(mean, span)
    after, before = (float(np.abs(some - labels).mean()) for some in (received, expected))
    return OutputError(mean, span, after, before)


def _added_error(
    received: Floats, expected: Floats, labels: Floats | None, span: float
) -> tuple[float | None, tuple[float, float] | None]:
    """How much farther from the labels a file is than the Keras model, as a share of the range."""
    if labels is None:
        return None, None
    added = np.abs(received - labels) - np.abs(expected - labels)
    shares = np.nan_to_num(added, nan=span, posinf=span, neginf=-span).mean(axis=1) / span
    return _paired(np.clip(shares, -1, 1))
