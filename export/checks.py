"""What is measured on an exported file, and the checks that it has to pass."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.settings import ExportSettings
from kerasnas.export.tflite_file import FileFacts

Task = Literal["single_label", "multi_label"]
Scores = NDArray[np.float32]

DECISION_THRESHOLD = 0.5
"""From which score on a tag counts as present, in multi-label tasks."""


@dataclass(frozen=True)
class Check:
    """One check of one file."""

    name: str
    file: str
    passed: bool
    received: Any
    required: Any
    message: str

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Parity:
    """How a file's scores compare with the Keras model's.

    Attributes:
        largest_difference: Between any two scores of one segment; None where the file's scores are
            not finite, as when a weight is too large for float16.
        agreement: Share of equal decisions: of clips with the same best class, or of pairs of clip
            and tag on the same side of `DECISION_THRESHOLD`.
        accuracy: Share of right decisions, counted likewise.
    """

    largest_difference: float | None
    agreement: float
    accuracy: float


def decisions(scores: Scores, task: Task) -> NDArray[Any]:
    """Decisions on clips: the best class `(clips,)`, or present tags `(clips, classes)`."""
    return scores.argmax(axis=1) if task == "single_label" else scores >= DECISION_THRESHOLD


def share_equal(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Share of equal decisions."""
    return float(np.mean(first == second))


def clip_scores(scores: Scores, segments: int) -> Scores:
    """Mean of `(clips * segments, classes)` over each clip's segments: `(clips, classes)`."""
    return scores.reshape(-1, segments, scores.shape[-1]).mean(axis=1)


def compare(scores: Scores, reference: Scores, labels: Scores, task: Task) -> Parity:
    """Compare scores of a file with those of the Keras model.

    Args:
        scores: Of the file's segments, `(clips * segments, classes)`.
        reference: Of the Keras model's.
        labels: Of the clips, `(clips, classes)`.
        task: How decisions are made.
    """
    segments = len(scores) // len(labels)
    decided = decisions(clip_scores(scores, segments), task)
    difference = float(np.abs(scores - reference).max())
    return Parity(
        largest_difference=difference if np.isfinite(difference) else None,
        agreement=share_equal(decided, decisions(clip_scores(reference, segments), task)),
        accuracy=share_equal(decided, decisions(labels, task)),
    )


def check_file(
    file: str,
    form: str,
    facts: FileFacts,
    parity: Parity,
    stateless: bool,
    settings: ExportSettings,
) -> list[Check]:
    """Every check of one file, passed or not.

    Args:
        file: Its name.
        form: How it computes.
        facts: What it says of itself.
        parity: How it compares with the Keras model.
        stateless: Whether a clip's scores are the same bits after another clip.
        settings: What is required.
    """
    over = facts.bytes - settings.budget
    checks = [
        Check(
            "budget",
            file,
            over <= 0,
            facts.bytes,
            settings.budget,
            f"{file} has {facts.bytes:,} bytes, "
            + (
                f"{over:,} more than the budget of {settings.budget:,}: search for a smaller "
                "network, or raise export.budget"
                if over > 0
                else f"within the budget of {settings.budget:,}"
            ),
        ),
        Check(
            "agreement",
            file,
            parity.agreement >= settings.agreement,
            parity.agreement,
            settings.agreement,
            f"{parity.agreement:.2%} of the decisions of {file} equal the Keras model's, at least "
            f"{settings.agreement:.2%} are required",
        ),
        Check(
            "finite",
            file,
            parity.largest_difference is not None,
            parity.largest_difference is not None,
            True,
            f"the scores of {file} are finite"
            if parity.largest_difference is not None
            else f"{file} gives scores that are not finite: export as int8, or train with weight "
            "decay",
        ),
        Check(
            "stateless",
            file,
            stateless,
            stateless,
            True,
            f"the scores of {file} do not depend on the clip before"
            if stateless
            else f"{file} keeps a state from one clip to the next: make its recurrent layers with "
            "stateful=False",
        ),
        Check(
            "operators",
            file,
            not facts.foreign_operators,
            list(facts.foreign_operators),
            [],
            f"{file} has operators that a phone's runtime does not have: "
            f"{', '.join(facts.foreign_operators)}"
            if facts.foreign_operators
            else f"{file} has built-in operators only",
        ),
    ]
    if form == "full_int8":
        floats = ", ".join(f"{count} {name}" for name, count in facts.float_operators.items())
        checks.append(
            Check(
                "integer",
                file,
                not facts.float_operators,
                facts.float_operators,
                {},
                f"{file} computes in float: {floats}" if floats else f"{file} is all integer",
            )
        )
    return checks
