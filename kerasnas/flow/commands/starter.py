"""The text of a starter experiment: settings that follow from a survey, and comments why."""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import dataclass
from pathlib import Path

from kerasnas import measures
from kerasnas.blocks.architecture import SizeRule
from kerasnas.datasets import DataSettings, Split, SplitSettings
from kerasnas.datasets.folder import FolderSettings
from kerasnas.datasets.survey import SILENT, Lengths, Survey
from kerasnas.export.network.ops import Shape
from kerasnas.training.presets import OVERHEAD, SPEED, epochs_for
from kerasnas.words import words

BATCH = 32
CANDIDATE_SHARE = 1 / 6
"""Of a final training: enough to rank candidates."""
TRIALS = 12
PRETRAINED_TRIALS = 40
"""Of which a fifth is trained from scratch, and takes most of the time."""

# Above this rate a phone's microphone brings little, and features cost more.
_HIGHEST_RATE = 32_000
_SHORTEST, _LONGEST = 0.05, 10.0
_FRAMES, _FEWEST_FRAMES, _MOST_FRAMES = 80, 40, 160
_LONGEST_HOP = 0.04  # seconds
# Mel bands: up to 8 kHz, and beyond.
_BANDS, _MORE_BANDS, _NARROW = 40, 64, 16_000
_COVERED = 0.95
# Below some such size in bytes the scales in an int8 file outweigh its smaller weights.
_SMALL = 50_000
# Padding beyond this share is told apart from sound: nothing may move it into the sound.
_FULL = 0.01
# From this mean share of the recordings on, cutting their silent ends is worth a thought.
_SILENT_SHARE = 0.05
_COMMENT = 96  # letters of a line
_LEVELS = 6.0  # dB: a network could tell recordings apart by such differences of level

_SPACES = {
    "wu_lee": """\
  stem_strides: [2, 2]
  stem_filters: [8, 32]  # wider stems take most of the time
  pooling: statistics
""",
    "liu_zhang": """\
  filters: [8, 16, 32]
  recurrent_units: 32
""",
    "li": """\
  layers: [1, 2]
  units: [16, 32, 64, 128]
  summaries: [last]  # the dense layers behind all frames would not fit
  dense_layers: [0, 1]
  dense_units: [32, 64, 128]
""",
    "li_gated": """\
  blocks: [1, 2]
  filters: [4, 8]
  kernels: [3]
  pooled_filters: [16, 32]
  units: [16, 32, 64]
""",
    "nasc": """\
  stem_filters: 8
  stem_strides: [2, 2]
  stages:
    - {filters: 12, layers: 2, strides: [2, 2]}
    - {filters: 16, layers: 3, strides: [2, 2]}
    - {filters: 24, layers: 4}
  frequency_filters: 64
  recurrent_layers: 0  # the mean over the frames, which costs no time
  dense_units: 64
""",
}
_SECONDS = 600  # of a search, for its trainings
_SPREAD = 1.7  # the largest network of a space by the mean one, roughly
_FEWEST_MACS, _MOST_MACS = 2_000_000, 10_000_000
_LIMITED = ("wu_lee",)
"""Spaces whose largest networks a search of minutes has no time for."""
_TEXTURE_BYTES = 1200  # for each class, in float16
_TEXTURE = "  texture: true  # also reads statistics over time, as a baseline does\n"
_SIGMOID = ("liu_zhang", "li_gated")


@dataclass(frozen=True)
class Choices:
    """What the user asks for.

    Attributes:
        budget: Bytes that each exported file may have.
        space: Name of the search space.
        oracle: Name of the oracle.
        supernet: Whether candidates inherit their weights from a supernet.
        pretrained: File that four of five candidates begin with; `space` is that of the others.
        cuts: Blocks behind which its trunk may end.
        input_shape: Frames, bins and channels of its features.
    """

    budget: int
    space: str
    oracle: str
    supernet: bool
    pretrained: Path | None = None
    cuts: tuple[int, ...] = ()
    input_shape: Shape = (0, 0, 0)


def clip_seconds(survey: Survey) -> float:
    """Return the length of a clip: of the longest recording, unless few are so much longer.

    95 % of the recordings are not cut, and none is where that makes clips a quarter longer at most.
    """
    return _covering(survey.lengths)


def _covering(lengths: Lengths) -> float:
    covering = lengths.quantile(_COVERED)
    seconds = lengths.longest if lengths.longest <= 1.25 * covering else covering
    return min(max(_SHORTEST, math.ceil(20 * seconds - 1e-6) / 20), _LONGEST)


def recipe_for(survey: Survey, decibels: bool = True) -> str:
    """Return the lines of an augmentation that fits the recordings: mild, and safe by default.

    Args:
        survey: What the recordings are like.
        decibels: Whether features are in dB; else they are natural logarithms of magnitudes.
    """
    full, lines = survey.lengths.padding(clip_seconds(survey)) < _FULL, []
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


def starter(
    name: str,
    data: DataSettings,
    split: SplitSettings,
    survey: Survey,
    parts: Split,
    choices: Choices,
) -> str:
    """Return the experiment as YAML.

    Args:
        name: Of the experiment.
        data: The data set.
        split: How it is parted.
        survey: What it is like.
        parts: The clips that candidates are trained on, and so on.
        choices: What the user asks for.
    """
    space = _SPACES.get(choices.space, "")
    if choices.space == "wu_lee" and _TEXTURE_BYTES * survey.classes <= choices.budget / 4:
        space += _TEXTURE
    model = f"  space: {choices.space}\n{space}"
    if choices.pretrained is not None:
        model = _pretrained(choices.pretrained, choices, space)
    return f"""\
# Written by `kerasnas init` for {survey.clips} clips of {survey.classes} classes.
schema: 1
name: {_quoted(name)}
data:
{_data(data, survey)}\
split:
{_split(split, survey)}\
features:
{_features(survey, choices.pretrained)}\
model:
{model}\
search:
{_search(survey, len(parts.train), choices)}\
training:
{_training(survey, parts, choices)}\
export:
  budget: {choices.budget}  # bytes of each file
"""


def _data(data: DataSettings, survey: Survey) -> str:
    lines = [f"dataset: {data.dataset}", f"root: {_quoted(str(data.root))}"]
    if isinstance(data, FolderSettings):
        if data.csv is not None:
            lines.append(f"csv: {_quoted(str(data.csv))}")
        if data.group_by is not None:
            lines.append(
                f"group_by: {data.group_by}  # {survey.groups} groups by the names of the files; "
                "remove this if they are none"
            )
    if data.multi_label:
        lines.append("multi_label: true  # a clip may carry several labels, or none")
    return _indented(lines)


def _split(split: SplitSettings, survey: Survey) -> str:
    if split.by == "fold":
        return _indented(
            ["by: fold", f"test_fold: {_quoted(split.test_fold)}  # nothing is chosen on this fold"]
        )
    if split.by == "split":
        return _indented(["by: split  # the split column"])
    if survey.groups:
        return _indented(
            [f"by: fractions  # stratified; none of the {survey.groups} groups is parted"]
        )
    return _indented(
        [
            "# No groups are known: clips of one speaker or recording may be in both train and",
            "# test, and scores too high. Add a `group` column to a CSV of the clips.",
            "by: fractions  # stratified",
        ]
    )


def _pretrained(file: Path, choices: Choices, scratch: str) -> str:
    frames, bins = (_stride(size) for size in choices.input_shape[:2])
    scratch = scratch.replace("stem_strides: [2, 2]", f"stem_strides: [{frames}, {bins}]")
    nested = "".join(f"    {line}\n" for line in scratch.splitlines())
    cuts = ", ".join(map(str, choices.cuts))
    return f"""\
  space: pretrained
  file: {_quoted(str(file))}
  cuts: [{cuts}]  # blocks of the file behind which its trunk may end
  from_scratch:  # validation clips decide whether the file helps
    share: 0.2
    model:
      space: {choices.space}
{nested}"""


def _stride(size: int) -> int:
    """Return a stem's stride that leaves enough for four poolings, and no more than they need."""
    return next(stride for stride in (4, 2, 1) if size >= 32 * stride or stride == 1)


def _features(survey: Survey, pretrained: Path | None = None) -> str:
    if pretrained is not None:
        return _indented(
            [
                "kind: log_mel",
                f"like: {_quoted(str(pretrained))}  # what the file makes of a waveform",
                f"seconds: {clip_seconds(survey):g}",
                *_trim(survey),
            ]
        )
    rate, seconds, lengths = min(survey.rate, _HIGHEST_RATE), clip_seconds(survey), survey.lengths
    samples = round(rate * seconds)
    n_fft = 2 ** (min(round(rate * 0.04), samples).bit_length() - 1)
    hop = max(min(n_fft // 4, samples // _FEWEST_FRAMES), samples // _FRAMES, 1)
    hop = max(min(hop, round(rate * _LONGEST_HOP)), samples // _MOST_FRAMES)
    n_fft = max(n_fft, 2 ** (hop - 1).bit_length())  # no sample is skipped
    cut = lengths.cut(seconds)
    kept = f"{cut} cut at the end" if cut else "none is cut"
    padding = lengths.padding(seconds)
    filled = f"; padding: {padding:.0%}" if padding >= _FULL else ""
    others = f" ({_rates(survey)})" if len(survey.rates) > 1 else ""
    return _indented(
        [
            f"sample_rate: {rate}  # recordings: {survey.rate} Hz{others}",
            f"seconds: {seconds:g}  # recordings: {lengths.shortest:.2f} to "
            f"{lengths.longest:.2f} s, median {lengths.quantile(0.5):.2f} s; {kept}{filled}",
            *_trim(survey),
            f"n_fft: {n_fft}",
            f"hop_length: {hop}  # {1 + samples // hop} frames",
            f"mel_bins: {_BANDS if rate <= _NARROW else _MORE_BANDS}",
        ]
    )


def _trim(survey: Survey) -> list[str]:
    """Return lines that offer to cut silent ends; none where few recordings have any."""
    levels = survey.levels
    if levels.silent_share < _SILENT_SHARE:
        return []
    rest, seconds = levels.sounding, _covering(levels.sounding)
    text = (
        f"{levels.silent_ends} of the {len(levels.peaks)} recordings that were listened to begin "
        f"or end with silence ({levels.silent_share:.0%} of the length of all). To cut it, add "
        f"trim: {SILENT:g}, which counts samples so many dB below a recording's largest as silent; "
        f"{rest.shortest:.2f} to {rest.longest:.2f} s are left then"
    )
    if seconds < _covering(levels.lengths):
        text += f", seconds: {seconds:g} would hold nearly all of them, and networks cost less"
    text += (
        ". It is not set, since scores may not change by it, and whatever runs the network has to "
        "cut silence, too: files that take waveforms cannot. It needs pip install 'kerasnas[tfio]'."
    )
    return [f"# {line}" for line in textwrap.wrap(text, _COMMENT)]


def _rates(survey: Survey) -> str:
    counts = sorted(survey.rates.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{rate} Hz: {count}" for rate, count in counts[:4])


def _search(survey: Survey, examples: int, choices: Choices) -> str:
    score, file = score_of(survey), choices.pretrained
    shown = words(score)
    loss = "balanced_loss" if score == "macro_f1" else "loss"
    if choices.oracle == "nsga2":
        objectives = f"[{score}, macs]  # a front of good and cheap networks"
    elif choices.oracle == "controller":
        objectives = f"[{score}]  # its reward"
    else:
        objectives = f"[{score}, {loss}]"
    by = loss if loss in objectives else score
    why = f"  # steadier than {shown} on few validation clips" if by != score else ""
    if score == "macro_f1":
        objectives += "  # the mean over the classes: accuracy hides the small ones"
    rule = size_rule(choices.budget)
    tried = "auto  # tries augmentations, and balanced sampling, before the candidates"
    lines = [
        f"recipes: {'off' if file else tried}",
        *_oracle(choices),
        f"objectives: {objectives}",
        *_winners(by, why, file is not None),
        "window:",
        f"  rule: {rule}  # the larger of the two files",
        f"  maximum: {choices.budget}",
    ]
    if choices.space in _LIMITED and file is None:
        macs = _macs(examples, epochs_for(examples, BATCH))
        lines.append(f"limits: {{macs: {macs:_}}}  # larger networks take hours to search")
    if choices.supernet:
        lines.append("supernet: {recalibration_clips: 64}  # candidates inherit its weights")
    return _indented(lines)


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


def _oracle(choices: Choices) -> list[str]:
    if choices.pretrained is not None and choices.oracle not in ("nsga2", "controller"):
        return [f"oracle: {choices.oracle}", f"trials: {PRETRAINED_TRIALS}"]
    if choices.supernet:  # scoring a candidate takes moments
        if choices.oracle == "nsga2":
            return ["oracle: {name: nsga2, population: 20, exploitation: 0.8}", "trials: 200"]
        return [f"oracle: {choices.oracle}", "trials: 200"]
    if choices.oracle == "nsga2":
        return [
            "oracle: {name: nsga2, population: 6, exploitation: 0.8}  # 4 generations",
            "trials: 24",
        ]
    if choices.oracle == "controller":
        return [
            "oracle: {name: controller, budget: 24, settled: 8, batch: 4, learning_rate: 0.01, "
            "shared: false}",
            "trials: 28  # 24 to learn from",
        ]
    if choices.oracle == "grid":
        return [
            "oracle: grid  # in order: the space's fields must leave few combinations",
            f"trials: {TRIALS}",
        ]
    return [f"oracle: {choices.oracle}", f"trials: {TRIALS}"]


def size_rule(budget: int) -> SizeRule:
    """Return how the larger of the two files is counted that have to keep a budget."""
    return "float16_file" if budget > _SMALL else "int8_file"


def score_of(survey: Survey) -> str:
    """Return the score that candidates are compared by."""
    if survey.imbalanced and not survey.multi_label:
        return "macro_f1"
    return measures.scores(survey.multi_label)[0]


def _training(survey: Survey, parts: Split, choices: Choices) -> str:
    examples, all_of_them = len(parts.train), len(parts.not_tested)
    final = epochs_for(examples, BATCH)
    candidate = epochs_for(examples, BATCH, CANDIDATE_SHARE)
    if choices.supernet:  # all of whose options share its steps
        candidate = final
    steps, final_steps = (candidate * _steps(examples), final * _steps(all_of_them))
    loss = sampling = ""
    if choices.space in _SIGMOID and not survey.multi_label:
        loss = "    loss: binary_crossentropy  # the space gives every class a score of its own\n"
    if survey.imbalanced and not survey.multi_label:
        sampling = (
            f"    sampling: balanced  # the largest class has {survey.imbalance:.0f} times the "
            "clips of the smallest\n"
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
{recipe_for(survey, choices.pretrained is None)}\
  final:
    <<: *recipe
    epochs: {final}  # {final_steps} steps: {all_of_them} clips, those that validate among them
    warm_up_epochs: {_warm_up(final)}
    weight_average: {average:.3g}
"""


def _steps(examples: int) -> int:
    """Return the steps of an epoch, as `kerasnas.training.batches` counts them."""
    return max(1, round(examples / BATCH))


def _warm_up(epochs: int) -> int:
    return min(3, epochs // 5)


def _indented(lines: list[str]) -> str:
    return "".join(f"  {line}\n" for line in lines)


def _quoted(text: str | None) -> str:
    """Return text as a YAML scalar that holds anything: JSON's are."""
    return json.dumps(text, ensure_ascii=False)
