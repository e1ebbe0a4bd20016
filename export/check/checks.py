"""What is measured on an exported file, and the checks that it has to pass."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..flatbuffer.delegation import Delegation
from ..flatbuffer.facts import FileFacts
from ..settings import ExportSettings
from .paired import upper_bound

Task = Literal["single_label", "multi_label"]
Verdict = Literal["passed", "not proven", "failed"]
Scores = NDArray[np.float32]

DECISION_THRESHOLD = 0.5
"""From which score on a tag counts as present, in multi-label tasks."""


@dataclass(frozen=True)
class Check:
    """One check of one file."""

    name: str
    file: str
    verdict: Verdict
    received: Any
    required: Any
    message: str

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


def worst(checks: list[Check]) -> Verdict:
    """The verdict on all checks together."""
    verdicts = {check.verdict for check in checks}
    return next((v for v in ("failed", "not proven") if v in verdicts), "passed")


@dataclass(frozen=True)
class Parity:
    """How a file's scores compare with the Keras model's.

    Attributes:
        clips: Number of clips compared.
        largest_difference: Between any two scores of one segment; None where the file's scores are
            not finite, as when a weight is too large for float16.
        agreement: Share of equal decisions: of clips with the same best class, or of pairs of clip
            and tag on the same side of `DECISION_THRESHOLD`.
        accuracy: Share of right decisions, counted likewise.
        drop: How much less that is than the Keras model's.
        drop_bounds: The one-sided 95 % lower and upper confidence bound of the drop.
    """

    clips: int
    largest_difference: float | None
    agreement: float
    accuracy: float
    drop: float
    drop_bounds: tuple[float, float]


class Measured(NamedTuple):
    """What was measured on one file.

    Attributes:
        form: How it computes.
        facts: What it says of itself.
        counted: Its bytes under the rule of the budget.
        parity: How it compares with the Keras model.
        stateless: Whether a clip's scores were the same bits after another clip.
        delegation: What XNNPACK takes of it.
        repeated: Whether another process gave the same bytes; None where none was asked.
        blame: Where its error arises, in words; empty where that is not known.
        too_new: Operators that need a newer runtime than allowed, in words; likewise.
    """

    form: str
    facts: FileFacts
    counted: int
    parity: Parity
    stateless: bool
    delegation: Delegation
    repeated: bool | None = None
    blame: str = ""
    too_new: str = ""


def decisions(scores: Scores, task: Task) -> NDArray[Any]:
    """Decisions on clips: the best class `(clips, 1)`, or present tags `(clips, classes)`."""
    if task == "single_label":
        return scores.argmax(axis=1)[:, None]
    return scores >= DECISION_THRESHOLD


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
    before = decisions(clip_scores(reference, segments), task)
    truth = decisions(labels, task)
    right, right_before = (np.mean(some == truth, axis=1) for some in (decided, before))
    lost = right_before - right
    difference = float(np.abs(scores - reference).max())
    return Parity(
        clips=len(labels),
        largest_difference=difference if np.isfinite(difference) else None,
        agreement=float(np.mean(decided == before)),
        accuracy=float(right.mean()),
        drop=float(lost.mean()),
        drop_bounds=(-upper_bound(-lost), upper_bound(lost)),
    )


def check_file(file: str, measured: Measured, settings: ExportSettings) -> list[Check]:
    """Every check of one file, passed or not.

    Args:
        file: Its name.
        measured: What was measured on it.
        settings: What is required.
    """
    facts, parity = measured.facts, measured.parity
    finite = parity.largest_difference is not None
    foreign = ", ".join(facts.foreign_operators)
    checks = [
        _budget(file, measured, settings),
        _agreement(file, measured, settings),
        accuracy_check(file, parity, settings, measured.blame),
        _check(
            "finite",
            file,
            finite,
            finite,
            True,
            f"the scores of {file} are finite"
            if finite
            else f"{file} gives scores that are not finite: export as int8, or train with weight "
            "decay",
            measured.blame,
        ),
        _stateless(file, measured, settings),
        _check(
            "operators",
            file,
            not foreign,
            list(facts.foreign_operators),
            [],
            f"{file} has operators that a phone's runtime does not have: {foreign}"
            if foreign
            else f"{file} has built-in operators only",
        ),
        _runtime(file, measured, settings),
        _delegated(file, measured.delegation, settings),
    ]
    if measured.form == "full_int8":
        floats = ", ".join(f"{count} {name}" for name, count in facts.float_operators.items())
        checks.append(
            _check(
                "integer",
                file,
                not floats,
                facts.float_operators,
                {},
                f"{file} computes in float: {floats}" if floats else f"{file} is all integer",
            )
        )
    if measured.repeated is not None:
        checks.append(
            _check(
                "repeated",
                file,
                measured.repeated,
                measured.repeated,
                True,
                f"converting again in another process gave {file} "
                + ("with the same bytes" if measured.repeated else "with other bytes"),
            )
        )
    return checks


def _check(
    name: str,
    file: str,
    passed: bool,
    received: Any,
    required: Any,
    message: str,
    blame: str = "",
) -> Check:
    if not passed and blame:
        message = f"{message}; {blame}"
    return Check(name, file, "passed" if passed else "failed", received, required, message)


def _budget(file: str, measured: Measured, settings: ExportSettings) -> Check:
    counted, budget, rule = measured.counted, settings.budget, settings.rule
    over = counted - budget
    by_rule = "" if rule == "file" else f" by the rule {rule}"
    how_far = (
        f"{over:,} ({over / budget:.1%}) more than the budget of {budget:,}: search for a smaller "
        "network, or raise export.budget"
    )
    return _check(
        "budget",
        file,
        over <= 0,
        counted,
        budget,
        f"{file} has {counted:,} bytes{by_rule}, "
        + (how_far if over > 0 else f"within the budget of {budget:,}"),
    )


def _agreement(file: str, measured: Measured, settings: ExportSettings) -> Check:
    agreement, required = measured.parity.agreement, settings.agreement
    passed = agreement >= required
    text = (
        f"{_percent(agreement)} agreement of {file} with the Keras model, "
        f"{_percent(required)} required"
    )
    if not passed and "int8" in measured.form and settings.qat is None:
        text += "; try qat=5"
    return _check("agreement", file, passed, agreement, required, text, measured.blame)


def _percent(share: float) -> str:
    """Return a share in percent, cut after two digits: one below a limit never reads like it."""
    return f"{floor(1e4 * share + 1e-6) / 100:g} %"


def accuracy_check(file: str, parity: Parity, settings: ExportSettings, blame: str = "") -> Check:
    """Passed only where the upper bound of the drop is small, failed only where the lower is not.

    The bounds are those of `paired`; in between, the clips do not suffice to tell.

    Args:
        file: Its name.
        parity: How it compares with the Keras model.
        settings: What is required.
        blame: Where its error arises, in words; empty where that is not known.
    """
    most = settings.accuracy_drop
    low, high = parity.drop_bounds
    verdict: Verdict = "passed" if high <= most else "failed" if low > most else "not proven"
    drop = round(100 * parity.drop, 2)
    if verdict == "not proven":
        seen = f"{drop:g} points were measured" if drop > 0 else "none was measured"
        text = (
            f"{file}: too few test clips ({parity.clips}) to prove a loss of accuracy below "
            f"{100 * most:g} points; {seen}"
        )
        return Check("accuracy", file, verdict, high, most, text)
    text = (
        f"{file} gains {-drop:.2f} points on the Keras model's accuracy, and loses"
        if drop < 0
        else f"{file} loses {drop:z.2f} points of the Keras model's accuracy,"
    )
    text += f" at most {100 * high:.2f} by the upper 95 % bound; {100 * most:.2f} are allowed"
    if verdict == "failed" and blame:
        text = f"{text}; {blame}"
    return Check("accuracy", file, verdict, high, most, text)


def _stateless(file: str, measured: Measured, settings: ExportSettings) -> Check:
    """Passed also where a state was asked for; then the message tells what applications must do."""
    asked = settings.recurrent == "fused_lstm"
    # Integers may round what one clip leaves behind away.
    stateless = measured.stateless and not measured.facts.keeps_state
    if stateless:
        text = f"the scores of {file} do not depend on the clip before"
    elif asked:
        text = (
            f"{file} keeps state: reset between clips, by reset_all_variables() before each, as "
            "was done for all figures here; asked for by export.recurrent: fused_lstm"
        )
    else:
        text = (
            f"{file} keeps a state from one clip to the next: make its recurrent layers with "
            "stateful=False"
        )
    return _check("stateless", file, stateless or asked, stateless, not asked, text)


def _runtime(file: str, measured: Measured, settings: ExportSettings) -> Check:
    needed, passed = measured.facts.minimum_runtime, measured.facts.runs_on(settings.runtime)
    return _check(
        "runtime",
        file,
        passed,
        needed,
        settings.runtime,
        f"{file} needs a TensorFlow Lite runtime of {needed or 'any version'}, "
        f"{settings.runtime} is allowed",
        measured.too_new,
    )


def _delegated(file: str, delegation: Delegation, settings: ExportSettings) -> Check:
    left = ", ".join(f"{count} {name}" for name, count in delegation.left.items())
    return _check(
        "delegated",
        file,
        delegation.share >= settings.delegated,
        delegation.share,
        settings.delegated,
        f"XNNPACK takes {delegation.share:.0%} of the operators of {file}"
        + (" (estimated)" if delegation.estimated else "")
        + (f", not {left}" if left else "")
        + f"; at least {settings.delegated:.0%} are required",
    )
