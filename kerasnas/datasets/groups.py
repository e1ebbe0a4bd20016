"""Which clips belong together, as far as the names of their files tell."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Literal

from kerasnas.datasets.clips import Clip, Clips

GroupKey = Literal["prefix", "directory"]
_FEWEST = 4  # groups of a label: two to train on, and one each to choose by and to test on


def group_key(clips: Clips) -> GroupKey | None:
    """Return what in the files' names tells groups apart, or None where nothing does.

    A group (a speaker, a recording) has several clips. Names tell groups only if each occurs under
    several labels, and every label has four or more, so that each can be parted into training,
    validation and test clips: what names the label itself (`dog_001.wav`), a kind of it
    (`dog/beagle_3.wav`), or every single clip, is no group. Where a list of clips has folds, splits
    or groups, it is not for names to tell them.
    """
    if any(clip.fold or clip.split or clip.group for clip in clips):
        return None
    for key, group_of in _KEYS.items():
        names = [group_of(clip) for clip in clips]
        if None not in names and _tells_groups([str(name) for name in names], clips):
            return key
    return None


def grouped(clips: Clips, key: GroupKey) -> Clips:
    """Return `clips` with the groups that their names tell, where they have none yet."""
    table = [
        clip if clip.group is not None else replace(clip, group=_KEYS[key](clip)) for clip in clips
    ]
    return replace(clips, clips=tuple(table))


def _tells_groups(names: list[str], clips: Clips) -> bool:
    sizes = Counter(names)
    if 2 * len(sizes) > len(names):
        return False  # most clips would be a group of their own
    of_labels: dict[str, list[str]] = defaultdict(list)
    for name, clip in zip(names, clips, strict=True):
        for label in clip.labels:
            of_labels[label].append(name)
    if all(name.isdigit() for name in sizes) and all(
        len(set(found)) == len(found) for found in of_labels.values()
    ):
        return False  # clips are numbered within each label
    labels_of: dict[str, set[str]] = defaultdict(set)
    for label, found in of_labels.items():
        for name in found:
            labels_of[name].add(label)
    if any(len(labels) < 2 for labels in labels_of.values()):
        return False
    return all(len(set(found)) >= _FEWEST for found in of_labels.values())


def _prefix(clip: Clip) -> str | None:
    stem = PurePosixPath(clip.id).stem
    match = re.match(r"(.+?)[-_. ]", stem)
    return match[1] if match else None


def _directory(clip: Clip) -> str | None:
    """Return the directory below the label's: `speaker1` in `yes/speaker1/003.wav`."""
    inner = PurePosixPath(clip.id).parts[1:-1]
    return inner[0] if inner else None


_KEYS: dict[GroupKey, Callable[[Clip], str | None]] = {"directory": _directory, "prefix": _prefix}
