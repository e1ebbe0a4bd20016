"""The search of a starter experiment: what it goes by, how long it may take, and its window."""

from __future__ import annotations

from kerasnas import measures
from kerasnas.datasets.survey import Survey
from kerasnas.flow.commands.starter.request import Request, size_rule
from kerasnas.flow.commands.starter.text import indented
from kerasnas.flow.commands.starter.training import BATCH, CANDIDATE_SHARE
from kerasnas.training.presets import OVERHEAD, SPEED, epochs_for
from kerasnas.words import words

TRIALS = 10
PRETRAINED_TRIALS = 40
"""Of which a fifth is trained from scratch, and takes most of the time."""

_SECONDS = 440  # of a search, for its trainings
_SPREAD = 1.7  # the largest network of a space by the mean one, roughly
_FEWEST_MACS, _MOST_MACS = 2_000_000, 10_000_000


def search(survey: Survey, examples: int, request: Request) -> str:
    """Return the lines of `search`.

    Args:
        survey: What the recordings are like.
        examples: Number of clips that candidates are trained on.
        request: What the user asks for.
    """
    score, file = _score_of(survey), request.pretrained
    shown = words(score)
    loss = "balanced_loss" if score == "macro_f1" else "loss"
    if request.oracle == "nsga2":
        objectives = f"[{score}, macs]  # a front of good and cheap networks"
    elif request.oracle == "controller":
        objectives = f"[{score}]  # its reward"
    else:
        objectives = f"[{score}, {loss}]"
    by = loss if loss in objectives else score
    why = f"  # steadier than {shown} on few validation clips" if by != score else ""
    if score == "macro_f1":
        objectives += "  # the mean over the classes: accuracy hides the small ones"
    rule = size_rule(request.budget)
    tried = "auto  # tries balanced sampling where classes differ, and augmentations"
    lines = [
        f"recipes: {'off' if file else tried}",
        *_oracle(request),
        f"objectives: {objectives}",
        *_winners(by, why, file is not None),
        "window:",
        f"  rule: {rule}  # the larger of the two files",
        f"  maximum: {request.budget}",
    ]
    if request.paper.large and file is None:
        macs = _macs(examples, epochs_for(examples, BATCH))
        lines.append(f"limits: {{macs: {macs:_}}}  # so that the search takes minutes")
    if request.supernet:
        lines.append("supernet: {recalibration_clips: 64}  # candidates inherit its weights")
    return indented(lines)


def _macs(examples: int, epochs: int) -> int:
    """Return the multiply-accumulates of the largest network that there is time for."""
    passes = examples * epochs * (1 + TRIALS * CANDIDATE_SHARE)
    macs = _SPREAD * (_SECONDS * SPEED / passes - OVERHEAD)
    return 1_000_000 * round(min(max(_FEWEST_MACS, macs), _MOST_MACS) / 1e6)


def _winners(by: str, why: str, pretrained: bool) -> list[str]:
    if not pretrained:
        return [f"winners: {{best: {{by: {by}}}}}{why}"]
    return [
        "winners:",
        f"  best: {{by: {by}}}{why}",
        f"  from_scratch: {{by: {by}, where: {{start: scratch}}}}  # to compare with",
        "choose: best",
    ]


def _oracle(request: Request) -> list[str]:
    if request.pretrained is not None and request.oracle not in ("nsga2", "controller"):
        return [f"oracle: {request.oracle}", f"trials: {PRETRAINED_TRIALS}"]
    if request.supernet:  # scoring a candidate takes moments
        if request.oracle == "nsga2":
            return ["oracle: {name: nsga2, population: 20, exploitation: 0.8}", "trials: 200"]
        return [f"oracle: {request.oracle}", "trials: 200"]
    if request.oracle == "nsga2":
        return [
            "oracle: {name: nsga2, population: 6, exploitation: 0.8}  # 4 generations",
            "trials: 24",
        ]
    if request.oracle == "controller":
        return [
            "oracle: {name: controller, budget: 24, settled: 8, batch: 4, learning_rate: 0.01, "
            "shared: false}",
            "trials: 28  # 24 to learn from",
        ]
    if request.oracle == "grid":
        return [
            "oracle: grid  # in order: the space's fields must leave few combinations",
            f"trials: {TRIALS}",
        ]
    return [f"oracle: {request.oracle}", f"trials: {TRIALS}"]


def _score_of(survey: Survey) -> str:
    """Return the score that candidates are compared by."""
    if survey.imbalanced and not survey.multi_label:
        return "macro_f1"
    return measures.scores(survey.multi_label)[0]
