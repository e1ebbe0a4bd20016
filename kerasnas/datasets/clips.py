"""The one table of clips that every data set becomes."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError

SPLITS = ("train", "validation", "test")
"""Values of a clip's `split`."""


@dataclass(frozen=True)
class Clip:
    """One labelled recording.

    Attributes:
        id: Unique within its data set; for files, the path below the data set's root.
        path: The file that holds the audio (or, in other layouts, the features).
        labels: Names of the classes heard; exactly one in a single-label data set.
        fold: The official fold, when the data set has folds.
        split: `train`, `validation` or `test`, when the data set is already split.
        group: Clips of one group (a recording, a house), which no split made here separates.
        copy_of: Id of the clip before it whose file holds the same bytes: the two are as one group.
        only_trains: Whether no split may choose by it or test on it.
    """

    id: str
    path: Path
    labels: tuple[str, ...]
    fold: str | None = None
    split: str | None = None
    group: str | None = None
    copy_of: str | None = None
    only_trains: bool = False


@dataclass(frozen=True)
class Clips:
    """The clips of a data set, in a fixed order that features and targets share.

    Attributes:
        clips: The clips.
        classes: Class names; column c of the targets is `classes[c]`.
        multi_label: Whether a clip may carry any number of labels instead of exactly one.
        name: The data set's name, for messages and reports.
        root: The directory the clips were read from.
        skipped: A message for each record that could not be read and was left out.
        cut: Groups that the data set's own folds part. Published folds are taken as they are;
            splits and folds made here never part a group.
        notes: What else a user should know about folds and splits, a sentence each.
    """

    clips: Sequence[Clip]
    classes: tuple[str, ...]
    multi_label: bool
    name: str
    root: Path
    skipped: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __getitem__(self, index: int) -> Clip:
        return self.clips[index]

    @property
    def ids(self) -> tuple[str, ...]:
        """Every clip's id, in order."""
        return tuple(clip.id for clip in self.clips)

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds, sorted (numbers by value); empty when the data set has none."""
        names = {clip.fold for clip in self.clips if clip.fold is not None}
        return tuple(sorted(names, key=lambda name: (not name.isdigit(), name.zfill(9))))

    @property
    def groups(self) -> NDArray[np.int64]:
        """Number of each clip's group, `(clips,)`.

        A clip without one has a number of its own, which its copies share.
        """
        place = {clip.id: index for index, clip in enumerate(self.clips)}
        names = [
            clip.group
            or f"\0{index if clip.copy_of is None else place.get(clip.copy_of, clip.copy_of)}"
            for index, clip in enumerate(self.clips)
        ]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @property
    def splits(self) -> NDArray[np.str_]:
        """Each clip's split, `(clips,)`; empty where it has none."""
        return np.array([clip.split or "" for clip in self.clips])

    def count(self, members: NDArray[np.int64] | None = None) -> dict[str, int]:
        """Return the number of clips of each class, among those at `members`, or all."""
        clips = self.clips if members is None else (self.clips[int(index)] for index in members)
        counter = Counter(label for clip in clips for label in clip.labels)
        return {name: counter[name] for name in self.classes}

    @property
    def counts(self) -> dict[str, int]:
        """Number of clips of each class."""
        return self.count()

    def digest(self) -> str:
        """Short text that changes with the clips: labels, folds, splits, groups and copies."""
        rows = [[clip.id, clip.labels, clip.fold, clip.split, clip.group] for clip in self.clips]
        copies = [(clip.id, clip.copy_of) for clip in self.clips if clip.copy_of is not None]
        text = json.dumps([self.classes, rows, copies] if copies else [self.classes, rows])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def targets(self) -> NDArray[Any]:
        """Labels as zeros and ones, `(clips, classes)`."""
        column = {name: index for index, name in enumerate(self.classes)}
        targets = np.zeros((len(self.clips), len(self.classes)), np.float32)
        for row, clip in enumerate(self.clips):
            targets[row, [column[label] for label in clip.labels]] = 1
        return targets

    def subset(self, indices: Iterable[int]) -> "Clips":
        """Return the clips at `indices`, in that order, with the same classes."""
        return replace(self, clips=tuple(self.clips[int(index)] for index in indices))


def checked(clips: Clips, keep: tuple[str, ...] | None = None) -> Clips:
    """Return `clips`, restricted to the classes in `keep`, once they can be learnt from.

    Single-label clips of other classes are left out; multi-label clips only lose the other labels.

    Raises:
        KerasnasError: When no clip is left, when a class of `keep` does not occur, when a
            single-label data set has fewer than two classes, or when a name of a class cannot
            stand on one line.
    """
    if not clips.clips:
        raise KerasnasError(f"{clips.root}: no clips found for data set {clips.name}")
    if keep is not None and keep != clips.classes:
        clips = _restricted(clips, keep)
    empty = [name for name, count in clips.counts.items() if count == 0]
    if empty:
        raise KerasnasError(f"{clips.root}: no clip of {', '.join(empty)}; remove it from classes")
    if broken := [name for name in clips.classes if not name.isprintable()]:
        raise KerasnasError(
            f"{clips.root}: the label {broken[0]!r} holds a line break or another control "
            "character, and label files have one label a line; rename it"
        )
    if len(clips.classes) < 2 and not clips.multi_label:
        raise KerasnasError(
            f"{clips.root}: every clip is labelled {clips.classes[0]}; "
            "a network needs two classes or more to tell apart"
        )
    return clips


def _restricted(clips: Clips, keep: tuple[str, ...]) -> Clips:
    unknown = [name for name in keep if name not in clips.classes]
    if unknown:
        raise KerasnasError(
            f"classes: {', '.join(unknown)} not in {clips.root}; it has {', '.join(clips.classes)}"
        )
    kept = [
        replace(clip, labels=tuple(label for label in clip.labels if label in keep))
        for clip in clips
        if clips.multi_label or clip.labels[0] in keep
    ]
    return replace(clips, clips=tuple(kept), classes=keep)
