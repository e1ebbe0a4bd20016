"""A starter experiment for a folder of recordings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from kerasnas import datasets, experiment
from kerasnas.datasets import Clips, LayoutSettings, SplitSettings
from kerasnas.datasets.folder import FolderSettings
from kerasnas.datasets.groups import GroupKey, grouped
from kerasnas.datasets.layouts import recognise
from kerasnas.datasets.survey import Survey
from kerasnas.datasets.table import printable
from kerasnas.errors import KerasnasError, counted
from kerasnas.experiment.like import resolve_like
from kerasnas.experiment.problems import first_problem
from kerasnas.export.network.ops import Shape
from kerasnas.features.recordings import look
from kerasnas.features.settings import LogMel
from kerasnas.files import write_atomically
from kerasnas.flow.commands.starter.experiment import starter
from kerasnas.flow.commands.starter.features import clip_seconds
from kerasnas.flow.commands.starter.request import Request, size_rule
from kerasnas.models.papers import PAPERS, PAPERS_BY_NAME, space_names
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.paths import StrPath, expanded
from kerasnas.runs.layout import EXPERIMENT
from kerasnas.tuners.settings import ORACLES

_PER_CLASS = 20
_CUTS = 4
_GROUPS_SHOWN = 2
_RANDOM = "size_constrained_random"


def init(
    folder: StrPath,
    output: StrPath | None = None,
    budget: int = 500_000,
    space: str = "wu_lee",
    oracle: str | None = None,
    supernet: bool = False,
    pretrained: StrPath | None = None,
) -> str:
    """Write a starter experiment for a folder of recordings, and return what was found.

    Args:
        folder: A directory for each label, a CSV beside the recordings, or Hugging Face's layout.
        output: File to write; None for `experiment.yaml`.
        budget: Bytes that each TFLite file may have.
        space: Search space of a paper, by name.
        oracle: Oracle, by name; None: nsga2 with a supernet, else size_constrained_random.
        supernet: Score candidates by weights that they inherit from a supernet.
        pretrained: A `.tflite` file that takes a waveform, with whose first blocks four of five
            candidates begin; `space` is that of the others.

    Raises:
        KerasnasError: The folder holds no recordings in a layout that can be read, too few to
            part, or only silence; there is no such space or oracle, or they do not go together; or
            `output` exists.
    """
    folder, output = Path(folder), Path(EXPERIMENT if output is None else output)
    if output.exists():
        raise KerasnasError(f"{output} exists: move it away, or give another --output")
    request = Request(budget, space, oracle or ("nsga2" if supernet else _RANDOM), supernet)
    _check_names(request)
    if pretrained is not None and supernet:
        raise KerasnasError(
            "pretrained: candidates with a file are not trained on a supernet; leave one of them "
            "out"
        )
    data = layout_of(folder)
    clips = datasets.load(data, data.root)  # KERASNAS_DATA is not what was asked about
    survey = look(clips)
    if survey.levels.silent == len(survey.levels.peaks):
        recordings = counted(survey.levels.silent, "recording")
        raise KerasnasError(
            f"{folder} holds only silence: all samples of the {recordings} that were listened "
            "to are 0; record them again"
        )
    split, warnings = _split(clips)
    warnings += clips.notes
    if (key := survey.group_by) and isinstance(data, FolderSettings):
        guessed = data.model_copy(update={"group_by": key})
        if problem := _cannot_part(guessed, split):
            warnings.append(_dropped(clips, key, problem))
            survey = replace(survey, groups=0, group_by=None)
        else:
            data, clips = guessed, grouped(clips, key)
    if pretrained is not None:
        path = expanded(pretrained).absolute()
        shape = _input_shape(path, survey)
        cuts = _cuts(path, shape, survey.classes, budget)
        request = replace(request, pretrained=path, cuts=cuts, input_shape=shape)
    parts = datasets.split(clips, split, seed=0)
    name = re.sub(r"[^\w.-]+", "_", output.stem).lstrip("_.-") or "experiment"
    text = starter(name, data, split, survey, parts, request)
    write_atomically(output, text)
    try:
        experiment.load(output).space(survey.classes)
    except KerasnasError:
        output.unlink()
        raise
    warnings += _warnings(survey, split)
    lines = _found(survey, pretrained is None) + [f"warning: {text}" for text in warnings]
    return "\n".join([*lines, f"wrote {output}", f"next: kerasnas search {output}"])


def _input_shape(file: Path, survey: Survey) -> Shape:
    """Return frames, bins and channels of what a file makes of the recordings.

    Raises:
        KerasnasError: The file cannot be read, or does not take a waveform.
    """
    try:
        settings = resolve_like({"like": str(file), "seconds": clip_seconds(survey)})
    except ValueError as error:
        raise KerasnasError(f"pretrained: {error}") from None
    return LogMel.model_validate(settings).input_shape


def _cuts(file: Path, shape: Shape, classes: int, budget: int) -> tuple[int, ...]:
    """Return some of the deepest blocks behind which a trunk within the budget can end.

    Raises:
        KerasnasError: The file cannot be read, or has no such block.
    """
    try:
        known = PretrainedSettings(file=file)
    except ValidationError as error:
        raise KerasnasError(f"pretrained: {first_problem(error)}") from None
    cuts, least = PretrainedSpace(shape, classes, settings=known).cuts, 0
    for last in range(len(cuts), 0, -1):
        some = {"cuts": cuts[max(0, last - _CUTS) : last]}
        space = PretrainedSpace(shape, classes, settings=known.model_copy(update=some))
        least = space.least_bytes(size_rule(budget))
        if least <= budget:
            return some["cuts"]
    raise KerasnasError(
        f"the smallest candidate that begins with {file} has {least:,} bytes, more than the budget "
        f"of {budget:,}: raise --budget, or leave --pretrained out"
    )


def _check_names(request: Request) -> None:
    if request.space == "pretrained":
        raise KerasnasError(
            "space: 'pretrained' begins with a file; give the file as pretrained, and as space "
            "that of the candidates without it, or leave space out"
        )
    if request.space not in PAPERS_BY_NAME:
        raise KerasnasError(f"space: {request.space!r} is unknown; there are {space_names(PAPERS)}")
    oracles = [each.model_fields["name"].default for each in ORACLES]
    if request.oracle not in oracles:
        raise KerasnasError(
            f"oracle: {request.oracle!r} is unknown; there are {', '.join(oracles)}"
        )
    if request.supernet and not request.paper.of_choices:
        raise KerasnasError(
            f"supernet: the space {request.space} has no choices that could share weights; take "
            f"{space_names(each for each in PAPERS if each.of_choices)}, or leave supernet out"
        )


def layout_of(folder: Path) -> LayoutSettings:
    """Return the settings of the layout that a folder of recordings has.

    Raises:
        KerasnasError: It is no directory, or holds several lists of clips.
    """
    root = folder.absolute()
    if not root.is_dir():
        raise KerasnasError(f"{folder} is not a directory of recordings")
    if (name := printable(root)) != str(root):
        raise KerasnasError(f"{name}: the name is not UTF-8 text; rename the directory")
    return recognise(root)


def _split(clips: Clips) -> tuple[SplitSettings, list[str]]:
    """Return how clips are parted, and what to warn of."""
    if len(clips.folds) > 1:
        return SplitSettings(by="fold", test_fold=clips.folds[-1]), []
    if {clip.split for clip in clips} >= {"train", "test"}:
        return SplitSettings(by="split"), []
    if clips.folds:
        return SplitSettings(), [
            f"the list of clips has a single fold ({clips.folds[0]}), and folds need two or more: "
            "clips are parted by fractions instead"
        ]
    return SplitSettings(), []


def _cannot_part(data: FolderSettings, split: SplitSettings) -> str | None:
    """Return why recordings cannot be parted without cutting groups; None where they can."""
    try:
        datasets.split(datasets.load(data, data.root), split, seed=0)
    except KerasnasError as error:
        return str(error)
    return None


def _dropped(clips: Clips, key: GroupKey, problem: str) -> str:
    """Return the warning that groups by the names of the files are not used."""
    names = sorted({clip.group or "" for clip in grouped(clips, key)})
    shown = ", ".join(names[:_GROUPS_SHOWN]) + ", …" * (len(names) > _GROUPS_SHOWN)
    return (
        f"the names of the files look like groups ({shown}), but clips cannot be parted by them: "
        f"{problem}"
    )


def _found(survey: Survey, recipes: bool) -> list[str]:
    """Return what a user should know about the recordings, a line each.

    Args:
        survey: What the recordings are like.
        recipes: Whether the search tries recipes.
    """
    counts, lengths, seconds = survey.counts, survey.lengths, clip_seconds(survey)
    cut = lengths.cut(seconds)
    largest, share = survey.majority
    lines = [
        f"{survey.clips} clips of {survey.classes} classes, {min(counts.values())} to "
        f"{max(counts.values())} a class",
        f"{lengths.shortest:.2f} to {lengths.longest:.2f} s; {seconds:g} s covers "
        f"{1 - cut / survey.clips:.0%}; {counted(cut, 'clip')} cut",
    ]
    if survey.levels.silent_ends:
        lines.append(
            f"{survey.levels.silent_ends} of {len(survey.levels.peaks)} recordings that were "
            f"listened to begin or end with silence, {survey.levels.silent_share:.0%} of the "
            "length of all"
        )
    if not survey.multi_label:
        lines.append(f"to beat: {share:.1%} right by always answering {largest}")
    if survey.imbalanced and not survey.multi_label:
        draws = "tries to draw" if recipes else "draws"
        lines.append(
            f"the largest class has {survey.imbalance:.0f} times the clips of the smallest: "
            f"the search goes by macro F1, and {draws} the classes equally often"
        )
    return lines


def _warnings(survey: Survey, split: SplitSettings) -> list[str]:
    warnings = []
    if not survey.groups and split.by == "fractions":
        warnings.append(
            "no groups are known: clips of one speaker may be in both train and test; "
            "add a `group` column"
        )
    if survey.group_by:
        warnings.append(
            f"the names of the files tell {survey.groups} groups ({survey.group_by}): clips of one "
            "group stay together; remove data.group_by if they are none"
        )
    few = [name for name, count in survey.counts.items() if count < _PER_CLASS]
    if few:
        listed = ", ".join(few[:10]) + (f" and {len(few) - 10} more" if len(few) > 10 else "")
        warnings.append(f"fewer than {_PER_CLASS} clips of {listed}: expect little of their scores")
    if survey.levels.silent:
        warnings.append(
            f"{survey.levels.silent} of {len(survey.levels.peaks)} recordings that were listened "
            "to hold only silence"
        )
    if len(survey.rates) > 1:
        rates = sorted(survey.rates)
        warnings.append(
            f"sample rates differ ({rates[0]} to {rates[-1]} Hz): a class recorded at a rate of "
            "its own is told by its bandwidth"
        )
    return warnings
