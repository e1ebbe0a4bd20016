"""Who trains, who validates, who is only tested on.

Splits made here are stratified and keep groups together: iterative stratification (Sechidis,
Tsoumakas, Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, algorithm 1),
dealing out whole groups, the largest first, instead of single examples. It serves single labels as
well.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasnas.datasets.clips import Clips
from kerasnas.errors import KerasnasError
from kerasnas.streams import Stream

Indices = NDArray[np.int64]

_FEWEST = 4
"""Clips of a class that the usual fractions can part into training, validation and test."""


class SplitSettings(BaseModel):
    """How clips are parted into training, validation and test clips."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["fractions", "fold", "split"] = Field(
        "fractions",
        description="fractions: made here, stratified, groups kept together; fold: the data set's "
        "folds; split: the split column of the list of clips, or its split folders.",
    )
    test_fraction: float = Field(0.2, gt=0, lt=1, description="fractions: share of test clips.")
    test_fold: str | None = Field(None, description="fold: the fold that is only tested on.")
    validation_fold: str | None = Field(
        None,
        description="fold: the fold that validates; null takes validation_fraction of the "
        "training folds.",
    )
    validation: Literal["held_out", "test_list"] = Field(
        "held_out",
        description="Which clips choose the architecture. held_out: some that are not tested on; "
        "test_list: with by: split, those that are tested on, while all others are trained on. "
        "Wu & Lee chose so: figures are optimistic, and the report says so.",
    )
    validation_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the clips that are not tested on which validates, unless a fold or "
        "a split column names the validation clips.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fold_numbers_are_names(cls, values: object) -> object:
        if isinstance(values, dict):
            return {
                key: str(value) if key.endswith("_fold") and type(value) is int else value
                for key, value in values.items()
            }
        return values

    @model_validator(mode="after")
    def _folds_named(self) -> "SplitSettings":
        if self.by == "fold" and self.test_fold is None:
            raise ValueError("by: fold needs test_fold, the name of the fold to test on")
        if self.by != "fold" and (self.test_fold or self.validation_fold):
            raise ValueError(f"test_fold and validation_fold need by: fold, not by: {self.by}")
        if self.validation == "test_list" and self.by != "split":
            raise ValueError(f"validation: test_list needs by: split, not by: {self.by}")
        if self.by == "fold" and self.test_fold == self.validation_fold:
            raise ValueError(f"fold {self.test_fold} cannot validate and be tested on")
        return self


@dataclass(frozen=True)
class Split:
    """Indices into a table of clips, ascending; no clip is in two parts.

    With `validation: test_list`, the test clips validate.
    """

    train: Indices
    validation: Indices
    test: Indices

    @property
    def not_tested(self) -> Indices:
        """Clips that train or validate, and are not tested on."""
        return np.setdiff1d(np.union1d(self.train, self.validation), self.test)


def split(clips: Clips, settings: SplitSettings, seed: int) -> Split:
    """Part `clips` as `settings` say; the same seed gives the same parts.

    Raises:
        KerasnasError: When a fold or split that is named does not exist, no clip is left to train
            on, a part would be without a class (training clips always need every class; in a
            multi-label data set the other parts may lack some), or a group would be separated,
            other than by folds that the data set was published with (`Clips.cut`).
    """
    if any(clip.only_trains for clip in clips):
        return _split_beside(clips, settings, seed)
    everything = np.arange(len(clips))
    validation = np.zeros(0, np.int64)
    if settings.by == "fold":
        # An evaluation set beside the folds is not for training, nor for choosing.
        outside = [clip.split == "test" and clip.fold is None for clip in clips]
        everything = np.flatnonzero(~np.array(outside))
        test = _fold(clips, settings.test_fold)
        if settings.validation_fold is not None:
            validation = _fold(clips, settings.validation_fold)
    elif settings.by == "split":
        test = _column(clips, "test")
        if not len(test):
            raise KerasnasError(
                f"{clips.root}: no clip has split test, and by: split needs some: list clips to "
                "test on, or let split.by be fractions"
            )
        validation = _column(clips, "validation")
        if settings.validation == "test_list":
            parts = Split(np.setdiff1d(everything, test), test, test)
            _check_classes(clips, parts.train, "the clips that are not tested on", always=True)
            _check_classes(clips, test, "the test clips")
            return parts
    else:
        _check_number_of_groups(clips, 3, "training, validation and test clips")
        _, test = _parts(clips, everything, settings.test_fraction, seed, "test")
    rest = np.setdiff1d(everything, test)
    if not len(rest):
        raise KerasnasError(
            f"{clips.root}: all {len(test)} clips are to be tested on, and none is left to train "
            "on: add training clips, or let split.by be fractions"
        )
    if not len(validation):
        train, validation = _parts(clips, rest, settings.validation_fraction, seed, "validation")
    else:
        train = np.setdiff1d(rest, validation)
    parts = Split(train, validation, test)
    names = {
        "fold": f"the folds but {settings.test_fold} and {settings.validation_fold}",
        "split": "split train",
        "fractions": "the training clips",
    }
    _check_classes(clips, train, names[settings.by], always=True)
    _check_classes(clips, validation, "the validation clips")
    _check_classes(clips, test, "the test clips")
    _check_groups(clips, parts, clips.cut if settings.by == "fold" else ())
    return parts


def _split_beside(clips: Clips, settings: SplitSettings, seed: int) -> Split:
    """Part the clips as if those that only train were not there, which then train as well."""
    mine = np.array([clip.only_trains for clip in clips])
    others = np.flatnonzero(~mine)
    known = {label for index in others for label in clips[int(index)].labels}
    table = clips.subset(others)
    classes = tuple(name for name in clips.classes if name in known)
    parts = split(replace(table, classes=classes), settings, seed)
    train = np.union1d(others[parts.train], np.flatnonzero(mine))
    return Split(train, others[parts.validation], others[parts.test])


def with_folds(clips: Clips, seed: int, count: int | None = None) -> Clips:
    """Return `clips` with folds made here, for a data set that has none: named from 1 on.

    Folds are stratified and keep groups together. Clips with the split `test`, and those that only
    train, are in no fold.

    Args:
        clips: Of a data set without folds.
        seed: The same seed gives the same folds.
        count: Number of folds, 2 or more; None: 5, or fewer where a class has fewer groups.

    Raises:
        KerasnasError: A class has too few clips or groups to be in every fold.
    """
    only_trains = np.array([clip.only_trains for clip in clips])
    among = np.flatnonzero((clips.splits != "test") & ~only_trains)
    groups = np.unique(clips.groups[among], return_inverse=True)[1]
    targets = clips.targets()[among]
    scarce, fewest = min(
        (
            (name, len(np.unique(groups[targets[:, column] > 0])))
            for column, name in enumerate(clips.classes)
        ),
        key=lambda pair: pair[1],
    )
    count = count or max(2, min(5, fewest))
    if fewest < count:
        raise KerasnasError(
            f"{clips.root}: {count} folds need {count} clips of every class (of as many groups, "
            f"when there are groups), and {scarce} has {fewest}; add clips, or leave the class out "
            "(data: classes)"
        )
    rng = np.random.default_rng((seed, Stream.FOLDS))
    part = stratified(targets, groups, (1 / count,) * count, rng)
    table = list(clips)
    for index, number in zip(among, part, strict=True):
        table[index] = replace(table[index], fold=str(number + 1))
    folded = Clips(tuple(table), clips.classes, clips.multi_label, clips.name, clips.root)
    for name in folded.folds:
        _fold(folded, name)
    return folded


def stratified(
    targets: NDArray[np.float32],
    groups: NDArray[np.int64],
    fractions: tuple[float, ...],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Deal groups of clips into parts so that every class is shared out by `fractions`.

    Args:
        targets: Zeros and ones, `(clips, classes)`.
        groups: Group number of every clip, `(clips,)`, counted from 0.
        fractions: Share of each part; they add up to 1.
        rng: Breaks ties and shuffles.

    Returns:
        The part of every clip, `(clips,)`, numbers below `len(fractions)`.
    """
    unlabelled = (targets.sum(axis=1) == 0).astype(np.float32)  # dealt out like one more class
    labels = np.column_stack([targets, unlabelled])
    counts = np.zeros((int(groups.max()) + 1, labels.shape[1]))
    np.add.at(counts, groups, labels)
    sizes = np.bincount(groups)
    shares = np.asarray(fractions)
    wanted = shares[:, None] * labels.sum(axis=0)
    room = shares * len(groups)
    part = np.zeros(len(counts), np.int64)
    left = np.ones(len(counts), bool)
    while left.any():
        remaining = counts[left].sum(axis=0)
        rarest = int(np.argmin(np.where(remaining > 0, remaining, np.inf)))
        members = rng.permutation(np.flatnonzero(left & (counts[:, rarest] > 0)))
        for group in members[np.argsort(-counts[members, rarest], kind="stable")]:
            chosen = np.lexsort((rng.random(len(shares)), room, wanted[:, rarest]))[-1]
            part[group] = chosen
            wanted[chosen] -= counts[group]
            room[chosen] -= sizes[group]
        left[members] = False
    return part[groups]


def _parts(
    clips: Clips, among: Indices, fraction: float, seed: int, name: str
) -> tuple[Indices, Indices]:
    groups = np.unique(clips.groups[among], return_inverse=True)[1]
    stream = Stream.TEST_CLIPS if name == "test" else Stream.VALIDATION_CLIPS
    rng = np.random.default_rng((seed, stream))
    targets = clips.targets()[among]
    part = stratified(targets, groups, (1 - fraction, fraction), rng)
    grouped = any(clips[int(index)].group is not None for index in among)
    if grouped and not part.any() and groups.any():
        # Less than half of a group is wanted. Take one with the most classes, and of few clips.
        counts = np.zeros((int(groups.max()) + 1, targets.shape[1]))
        np.add.at(counts, groups, targets)
        taken = np.lexsort((np.bincount(groups), -(counts > 0).sum(axis=1)))[0]
        part = (groups == taken).astype(np.int64)
    return among[part == 0], among[part == 1]


def _fold(clips: Clips, name: str | None) -> Indices:
    members = np.array([i for i, clip in enumerate(clips) if clip.fold == name], np.int64)
    if not len(members):
        raise KerasnasError(
            f"fold {name} does not exist in {clips.root}; "
            f"its folds are {', '.join(clips.folds) or 'none'}"
        )
    _check_classes(clips, members, f"fold {name}")
    return members


def _column(clips: Clips, name: str) -> Indices:
    splits = clips.splits
    without = np.flatnonzero(splits == "")
    if len(without):
        clip = clips[int(without[0])].id
        raise KerasnasError(f"{clips.root}: {clip} has no split, and by: split needs one each")
    return np.flatnonzero(splits == name)


def _check_classes(clips: Clips, members: Indices, where: str, always: bool = False) -> None:
    """Every class must occur; multi-label parts may lack some unless `always`."""
    if clips.multi_label and not always and len(members):
        return
    missing = [name for name, count in clips.count(members).items() if count == 0]
    if missing:
        count = clips.counts[missing[0]]
        few = f": a class needs {_FEWEST} or more" if count < _FEWEST else ""
        raise KerasnasError(
            f"{clips.root}: no clip of {', '.join(missing)} in {where} "
            f"({count} of {missing[0]} in all); add clips{few} (of further groups, "
            "when there are groups), or leave the class out (data: classes)"
        )


def _check_number_of_groups(clips: Clips, least: int, parts: str) -> None:
    groups = clips.groups
    if (count := int(groups.max()) + 1) < min(least, len(groups)):
        names = ", ".join(sorted({clip.group for clip in clips if clip.group}))
        number = "one group" if count == 1 else f"{count} groups"
        raise KerasnasError(
            f"{clips.root}: all clips belong to {number} ({names}), and "
            f"{parts} need {least} or more, which no group may share; correct the groups, add "
            "clips of others, or leave the groups out if their clips are independent"
        )


def _check_groups(clips: Clips, parts: Split, cut: tuple[str, ...]) -> None:
    groups = clips.groups
    whole = np.ones(len(clips), bool)
    if cut:
        whole[:] = [clip.group not in cut for clip in clips]
    names = ("train", "validation", "test")
    owner = np.full(len(groups), -1)
    for number, name in enumerate(names):
        indices: Indices = getattr(parts, name)
        indices = indices[whole[indices]]
        owners = owner[groups[indices]]
        if len(shared := np.flatnonzero((owners >= 0) & (owners != number))):
            first = shared[0]
            clip = clips[int(indices[first])]
            what = f"group {clip.group}" if clip.group else f"{clip.copy_of or clip.id}, or a copy,"
            raise KerasnasError(
                f"{clips.root}: {what} is both in the {names[owners[first]]} and the {name} clips; "
                "correct its fold or split"
            )
        owner[groups[indices]] = number
