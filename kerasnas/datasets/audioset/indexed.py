"""A table of clips that stays on disk: two million rows take no memory worth speaking of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from kerasnas.datasets.clips import SPLITS, Clip, Clips

LONGEST = 64
"""Bytes of the name of a video."""

ROW = np.dtype(
    [
        ("video", f"S{LONGEST}"),
        ("group", np.int64),  # a digest of the video's name
        ("start", np.int64),  # milliseconds, -1 where it is not known
        ("shard", np.int32),
        ("split", np.uint8),  # a place in SPLITS
    ]
)


@dataclass(frozen=True, eq=False)
class Rows(Sequence[Clip]):
    """The clips themselves, made when they are asked for.

    Attributes:
        rows: Of type `ROW`, `(clips,)`, memory-mapped.
        labels: bool `(clips, classes)`, memory-mapped.
        classes: Names.
        shards: The files that hold the clips.
    """

    rows: NDArray[Any]
    labels: NDArray[np.bool_]
    classes: tuple[str, ...]
    shards: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | Sequence[Clip]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        row = self.rows[index]
        video = row["video"].decode()
        return Clip(
            id=video if row["start"] < 0 else f"{video}_{row['start']}",
            path=self.shards[row["shard"]],
            labels=tuple(self.classes[label] for label in np.flatnonzero(self.labels[index])),
            split=SPLITS[row["split"]],
            group=video,
        )


@dataclass(frozen=True)
class IndexedClips(Clips):
    """Clips whose table is on disk.

    Attributes:
        clips: The rows.
        content: Digest of the table.
        skip_corrupt: Whether damaged records of the shards were left out.
    """

    clips: Rows
    content: str = ""
    skip_corrupt: bool = False

    @property
    def folds(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """See `Clips.groups`."""
        return np.unique(self.clips.rows["group"], return_inverse=True)[1].astype(np.int64)

    @property
    def splits(self) -> NDArray[np.str_]:
        """See `Clips.splits`."""
        return np.array(SPLITS)[self.clips.rows["split"]]

    def count(self, members: NDArray[np.int64] | None = None) -> dict[str, int]:
        """See `Clips.count`."""
        labels, total = self.clips.labels, np.zeros(len(self.classes), np.int64)
        rows = np.arange(len(self)) if members is None else members
        for start in range(0, len(rows), 4096):
            total += labels[rows[start : start + 4096]].sum(axis=0)
        return dict(zip(self.classes, total.tolist(), strict=True))

    def digest(self) -> str:
        """See `Clips.digest`."""
        return self.content

    def targets(self) -> NDArray[Any]:
        """Labels, bool `(clips, classes)`, memory-mapped."""
        return self.clips.labels

    def subset(self, indices: Iterable[int]) -> Clips:
        """Return the clips at `indices`, in memory."""
        chosen = tuple(self.clips[int(index)] for index in indices)
        return Clips(chosen, self.classes, self.multi_label, self.name, self.root)
