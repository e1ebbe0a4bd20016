"""The recipes of a starter experiment: as many epochs as few clips need, and mild augmentation."""

from __future__ import annotations

from kerasnas.datasets import Split
from kerasnas.datasets.survey import Survey
from kerasnas.flow.commands.starter.features import FULL, clip_seconds
from kerasnas.flow.commands.starter.request import Request
from kerasnas.training.presets import epochs_for

BATCH = 32
CANDIDATE_SHARE = 1 / 6
"""Of a final training: enough to rank candidates."""

_LEVELS = 6.0  # dB: a network could tell recordings apart by such differences of level


def training(survey: Survey, parts: Split, request: Request) -> str:
    """Return the lines of `training`.

    Args:
        survey: What the recordings are like.
        parts: The clips that candidates are trained on, and so on.
        request: What the user asks for.
    """
    examples, all_of_them = len(parts.train), len(parts.not_tested)
    final = epochs_for(examples, BATCH)
    candidate = epochs_for(examples, BATCH, CANDIDATE_SHARE)
    if request.supernet:  # all of whose options share its steps
        candidate = final
    steps, final_steps = (candidate * _steps(examples), final * _steps(all_of_them))
    loss = sampling = ""
    if request.paper.scores_alone and not survey.multi_label:
        loss = "    loss: binary_crossentropy  # the space gives every class a score of its own\n"
    if survey.imbalanced and not survey.multi_label:
        sampling = (
            "    sampling: balanced  # with search.recipes: off; the largest class has "
            f"{survey.imbalance:.0f} times the clips of the smallest\n"
        )
    average = max(0.9, min(1 - 20 / final_steps, 0.995))
    return f"""\
  candidate: &recipe
    epochs: {candidate}  # {steps} steps: {examples} clips to train on
    batch_size: {BATCH}
    optimizer: adamw
    learning_rate: 0.002
    schedule: cosine
    warm_up_epochs: {_warm_up(candidate)}
    weight_decay: 0.001
{loss}{sampling}\
    augmentation:  # with search.recipes: off; else what was tried takes its place
{_augmentation(survey, request.pretrained is None)}\
  final:
    <<: *recipe
    epochs: {final}  # {final_steps} steps: {all_of_them} clips, those that validate among them
    warm_up_epochs: {_warm_up(final)}
    weight_average: {average:.3g}
"""


def _augmentation(survey: Survey, decibels: bool = True) -> str:
    """Return the lines of an augmentation that fits the recordings: mild, and safe by default.

    Args:
        survey: What the recordings are like.
        decibels: Whether features are in dB; else they are natural logarithms of magnitudes.
    """
    full, lines = survey.lengths.padding(clip_seconds(survey)) < FULL, []
    quietest, loudest = survey.levels.decibels
    if loudest - quietest >= _LEVELS:
        lines.append(
            f"gain: {'6  # dB' if decibels else '0.7  # 6 dB'}: recordings differ in level, with "
            f"peaks from {quietest:.0f} to {loudest:.0f} dB"
        )
    if full:
        lines.append("time_shift: 0.1  # a sound may begin earlier or later; none is cut in two")
        lines.append("time_masks: {count: 1, width: 0.1}")
    lines.append("frequency_masks: {count: 1, width: 0.1}")
    return "".join(f"      {line}\n" for line in lines)


def _steps(examples: int) -> int:
    """Return the steps of an epoch, as `kerasnas.training.batches` counts them."""
    return max(1, round(examples / BATCH))


def _warm_up(epochs: int) -> int:
    return min(3, epochs // 5)
