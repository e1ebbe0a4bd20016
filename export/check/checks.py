"""What is measured on an exported file, and the checks that it has to pass."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor
from typing import Any, Literal, NamedTuple

from ..arrays import finite_or_none
from ..flatbuffer.delegation import Delegation
from ..flatbuffer.facts import FileFacts
from ..forms import INTEGERS
from ..settings import ExportSettings
from .parity import Parity

Verdict = Literal["passed", "not proven", "failed"]
TEST_CLIPS = "test clips"
"""What files are compared on, where such clips are given."""


@dataclass(frozen=True)
class FileCheck:
    """One check of one file."""

    name: str
    file: str
    verdict: Verdict
    received: Any
    required: Any
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return asdict(self)


def worst(checks: list[FileCheck]) -> Verdict:
    """Return the verdict on all checks together."""
    verdicts = {check.verdict for check in checks}
    return next((v for v in ("failed", "not proven") if v in verdicts), "passed")


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
        held_on: What the file and the Keras model were compared on.
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
    held_on: str = TEST_CLIPS


def check_file(file: str, measured: Measured, settings: ExportSettings) -> list[FileCheck]:
    """Return every check of one file, passed or not.

    Args:
        file: Its name.
        measured: What was measured on it.
        settings: What is required.
    """
    facts, parity = measured.facts, measured.parity
    finite = parity.largest_difference is not None
    foreign = ", ".join(facts.foreign_operators)
    checks = [
        *_budget(file, measured, settings),
        *_agreement(file, measured, settings),
        *_error(file, measured, settings),
        *accuracy_checks(file, parity, settings, measured.blame),
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
    if measured.form in INTEGERS:
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
) -> FileCheck:
    if not passed and blame:
        message = f"{message}; {blame}"
    return FileCheck(name, file, "passed" if passed else "failed", received, required, message)


def _budget(file: str, measured: Measured, settings: ExportSettings) -> list[FileCheck]:
    counted, budget, rule = measured.counted, settings.budget, settings.rule
    if budget is None:
        return []
    over = counted - budget
    by_rule = "" if rule == "file" else f" by the rule {rule}"
    if over <= 0:
        finding = f"within the budget of {budget:,}"
    else:
        smaller = "" if measured.form in INTEGERS else "export to full int8, "
        finding = (
            f"{over:,} ({over / budget:.1%}) more than the budget of {budget:,}: {smaller}take a "
            "smaller network, or raise the budget"
        )
    message = f"{file} has {counted:,} bytes{by_rule}, {finding}"
    return [_check("budget", file, over <= 0, counted, budget, message)]


def _agreement(file: str, measured: Measured, settings: ExportSettings) -> list[FileCheck]:
    agreement = measured.parity.agreement
    if agreement is None:
        return []
    passed = agreement >= settings.agreement
    text = (
        f"{_percent(agreement)} agreement of {file}{_elsewhere(measured)} with the Keras model, "
        f"{_percent(settings.agreement)} required"
    )
    if not passed and "int8" in measured.form and settings.qat is None:
        text += "; try 5 epochs of quantisation-aware fine-tuning (qat)"
    return [_check("agreement", file, passed, agreement, settings.agreement, text, measured.blame)]


def _percent(share: float) -> str:
    """Return a share in percent, cut after two digits: one below a limit never reads like it."""
    return f"{floor(1e4 * share + 1e-6) / 100:g} %"


def _error(file: str, measured: Measured, settings: ExportSettings) -> list[FileCheck]:
    """Numbers may be off by a share of their range, which decisions cannot tell."""
    error = measured.parity.error
    if error is None:
        return []
    return [
        _check(
            "error",
            file,
            error.share <= settings.error,
            finite_or_none(error.share),
            settings.error,
            f"the outputs of {file}{_elsewhere(measured)} differ by {error.mean:.3g} on average "
            f"from the Keras model's, {error.share:.2%} of their range of {error.range:.3g}; at "
            f"most {settings.error:.2%} is allowed",
            measured.blame,
        )
    ]


def _elsewhere(measured: Measured) -> str:
    return "" if measured.held_on == TEST_CLIPS else f" on {measured.held_on}"


def accuracy_checks(
    file: str, parity: Parity, settings: ExportSettings, blame: str = ""
) -> list[FileCheck]:
    """Pass where the upper bound of the drop is small, fail where the lower one is not.

    The bounds are those of `paired`; in between, the clips do not suffice to tell. Without labels
    there is nothing to lose, and no check.

    Args:
        file: Its name.
        parity: How it compares with the Keras model.
        settings: What is required.
        blame: Where its error arises, in words; empty where that is not known.
    """
    if parity.drop is None or parity.drop_bounds is None:
        return []
    most = settings.accuracy_drop
    low, high = parity.drop_bounds
    verdict: Verdict = "passed" if high <= most else "failed" if low > most else "not proven"
    if verdict == "not proven" and parity.accuracy is not None:
        points = round(100 * parity.drop, 2)
        seen = f"{points:g} points were measured" if points > 0 else "none was measured"
        text = (
            f"{file}: too few test clips ({parity.clips}) to prove a loss of accuracy below "
            f"{100 * most:g} points; {seen}"
        )
        return [FileCheck("accuracy", file, verdict, high, most, text)]
    text = _drop_in_words(file, parity)
    text += f" at most {100 * high:.2f} by the upper 95 % bound; {100 * most:.2f} are allowed"
    if verdict == "not proven":
        text = f"{text}: only more test clips can prove it"
    if verdict == "failed" and blame:
        text = f"{text}; {blame}"
    return [FileCheck("accuracy", file, verdict, high, most, text)]


def _drop_in_words(file: str, parity: Parity) -> str:
    assert parity.drop is not None
    drop = round(100 * parity.drop, 2)
    if parity.accuracy is None:  # of numbers
        return (
            f"{file} is {drop:z.2f} % of their range farther from the labels than the Keras model,"
        )
    if drop < 0:
        return f"{file} gains {-drop:.2f} points on the Keras model's accuracy, and loses"
    return f"{file} loses {drop:z.2f} points of the Keras model's accuracy,"


def _stateless(file: str, measured: Measured, settings: ExportSettings) -> FileCheck:
    """Pass also where a state was asked for; then say what applications must do."""
    asked = settings.recurrent == "fused_lstm"
    # Integers may round what one clip leaves behind away.
    stateless = measured.stateless and not measured.facts.keeps_state
    if stateless:
        text = f"the scores of {file} do not depend on the clip before"
    elif asked:
        text = (
            f"{file} keeps state: reset between clips, by reset_all_variables() before each, as "
            "was done for all figures here; asked for by the recurrent form fused_lstm"
        )
    else:
        text = (
            f"{file} keeps a state from one clip to the next: make its recurrent layers with "
            "stateful=False"
        )
    return _check("stateless", file, stateless or asked, stateless, not asked, text)


def _runtime(file: str, measured: Measured, settings: ExportSettings) -> FileCheck:
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


def _delegated(file: str, delegation: Delegation, settings: ExportSettings) -> FileCheck:
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
