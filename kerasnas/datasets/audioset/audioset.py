"""AudioSet's embeddings, or anybody's in its layout: shards, and the list of its classes.

J. F. Gemmeke et al., "Audio Set: an ontology and human-labeled dataset for audio events", ICASSP
2017. `class_labels_indices.csv` has the columns `index,mid,display_name`; 527 classes are its own.
The shards are read once, and a table of their clips is kept in the cache (`kerasnas.datasets.
indexed`); the embeddings themselves become features (`kerasnas.features.extraction.stored`).

Clips of `eval` have the split test. Of the others, some videos validate: those of which a digest of
the name is low, so that it is always the same ones, whatever else is read.
"""

import csv
import hashlib
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal

import numpy as np
from pydantic import Field

from kerasnas.datasets.audioset import shards
from kerasnas.datasets.audioset.indexed import LONGEST, ROW, IndexedClips, Rows
from kerasnas.datasets.audioset.shards import Stored
from kerasnas.datasets.clips import SPLITS
from kerasnas.datasets.places import filled_beside
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import rows
from kerasnas.errors import KerasnasError
from kerasnas.files import read_json, write_json

VERSION = 1
"""To be raised with every change that changes tables: they are then made again."""

CLASS_LABELS = "class_labels_indices.csv"
_COLUMNS = ("index", "mid", "display_name")
_EVALUATION = "eval"


class AudioSetSettings(LayoutSettings):
    """AudioSet's embeddings: which shards, and who validates (see `kerasnas.datasets.audioset`)."""

    stored: ClassVar[bool] = True

    dataset: Literal["audioset"] = "audioset"
    multi_label: bool = Field(True, description="Whether a clip may carry any number of labels.")
    parts: tuple[Literal["bal_train", "unbal_train", "eval"], ...] = Field(
        ("bal_train", "eval"), min_length=1, description="Clips of eval have the split test."
    )
    validation_fraction: float = Field(
        0.1, ge=0, lt=1, description="Share of the other videos that has the split validation."
    )
    class_labels: Path | None = Field(
        None,
        description="List of classes (index,mid,display_name), below root or absolute; null: "
        "class_labels_indices.csv.",
    )
    skip_corrupt: bool = Field(
        False, description="Leave damaged records out, and count them, instead of stopping."
    )

    def read(self, root: Path, cache: Path) -> IndexedClips:
        """See `load`."""
        return load(root, self, cache)


def load(root: Path, settings: AudioSetSettings, cache: Path) -> IndexedClips:
    """Clips of the shards below `root`.

    Args:
        root: The directory of the parts' directories or packed files.
        settings: Which parts, who validates, and the classes to keep; labels of others are
            dropped.
        cache: Directory of derived files, for the table.

    Raises:
        KerasnasError: The class list or a part is missing, or a record is damaged, has a label that
            is not listed, or occurs twice; file and record are named.
    """
    classes, multi_label = settings.classes, settings.multi_label
    listed = class_labels(root / (settings.class_labels or CLASS_LABELS))
    if unknown := [name for name in classes or () if name not in listed]:
        raise KerasnasError(f"classes: {', '.join(unknown)} not in the list of {root}'s classes")
    found = {part: shards.list_shards(root, part) for part in settings.parts}
    files = [path for paths in found.values() for path in paths]
    states = [
        [str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns] for path in files
    ]
    common = {"root", "streams", "mined", "classes", "multi_label"}
    chosen = settings.model_dump(mode="json", exclude=common)
    text = json.dumps([VERSION, chosen, listed, classes, multi_label, states])
    directory = cache / "data" / f"audioset-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not directory.is_dir():
        parts: list[str] = [part for part, paths in found.items() for _ in paths]
        with filled_beside(directory) as partial:
            _Table(partial, files, parts, settings, listed, classes, multi_label).fill()
    about = read_json(directory / "about.json")
    names = classes or listed
    count = about["clips"]
    table = Rows(
        np.memmap(directory / "rows.bin", ROW, "r", shape=(count,)),
        np.memmap(directory / "labels.bin", np.bool_, "r", shape=(count, len(names))),
        names,
        tuple(files),
    )
    return IndexedClips(
        table,
        names,
        multi_label,
        "AudioSet",
        root,
        skipped=tuple(about["skipped"]),
        content=about["digest"],
        skip_corrupt=settings.skip_corrupt,
    )


def class_labels(path: Path) -> tuple[str, ...]:
    """Names of the classes, in the order of their numbers.

    Raises:
        KerasnasError: With file and line, when the list is missing or not in order.
    """
    names: list[str] = []
    for where, row in rows(path, _COLUMNS):
        if row["index"] != str(len(names)):
            raise KerasnasError(
                f"{where}: index {row['index']} where {len(names)} is expected: classes are "
                "numbered from 0, without gaps"
            )
        if row["display_name"] in names:
            raise KerasnasError(f"{where}: {row['display_name']} is listed twice")
        names.append(row["display_name"])
    if not names:
        raise KerasnasError(f"{path}: lists no classes below its header")
    return tuple(names)


def write_class_labels(path: Path, classes: Sequence[tuple[str, str]]) -> None:
    """Write a list of classes, given as pairs of identifier (`mid`) and name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = [[index, *pair] for index, pair in enumerate(classes)]
        csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *lines])


class _Table:
    """A table being made, clip by clip; all that stays in memory is 16 bytes a clip."""

    def __init__(
        self,
        directory: Path,
        files: list[Path],
        parts: list[str],
        settings: AudioSetSettings,
        listed: tuple[str, ...],
        classes: tuple[str, ...] | None,
        multi_label: bool,
    ) -> None:
        self.directory, self.files, self.parts, self.settings = directory, files, parts, settings
        self.listed, self.multi_label = len(listed), multi_label
        self.columns = {listed.index(name): column for column, name in enumerate(classes or listed)}
        self.groups, self.ids = array("q"), array("q")
        self.digest = hashlib.sha256(json.dumps(classes or listed).encode())

    def fill(self) -> None:
        """Read every shard and write the table's files."""
        skipped: list[str] = []
        with (
            (self.directory / "rows.bin").open("wb") as table,
            (self.directory / "labels.bin").open("wb") as labels,
        ):
            for stored in shards.stream(self.files, self.settings.skip_corrupt, skipped):
                self._add(stored, table, labels)
        if not self.ids:
            raise KerasnasError(f"{self.files[0].parent}: the shards hold no clips")
        self._check_once()
        about = {"clips": len(self.ids), "skipped": skipped}
        digest = self.digest.hexdigest()[:16]
        write_json(self.directory / "about.json", {**about, "digest": digest})

    def _add(self, stored: Stored, table: BinaryIO, labels: BinaryIO) -> None:
        clip, where = stored.clip, f"{self.files[stored.shard]}: record {stored.record}"
        video = clip.video.encode()
        if len(video) > LONGEST or not video:
            raise KerasnasError(f"{where}: its video_id has {len(video)} bytes, not 1 to {LONGEST}")
        if wrong := [label for label in clip.labels if not 0 <= label < self.listed]:
            raise KerasnasError(
                f"{where}: label {wrong[0]} is not in the class list, which ends at "
                f"{self.listed - 1}; give the list that belongs to the shards (class_labels)"
            )
        heard = [self.columns[label] for label in clip.labels if label in self.columns]
        if not self.multi_label and len(heard) != 1:
            raise KerasnasError(
                f"{where}: {len(heard)} labels where exactly one is expected; write "
                "multi_label: true when clips carry any number"
            )
        group = _number(video)
        start = -1 if clip.start is None else round(1000 * clip.start)
        split = self._split(self.parts[stored.shard], group)
        row = np.array((video, group, start, stored.shard, SPLITS.index(split)), ROW).tobytes()
        flags = bytearray(len(self.columns))
        for column in heard:
            flags[column] = 1
        table.write(row)
        labels.write(flags)
        self.groups.append(group)
        self.ids.append(_number(b"%b %d" % (video, start)))
        self.digest.update(row)
        self.digest.update(flags)

    def _split(self, part: str, group: int) -> str:
        if part == _EVALUATION:
            return "test"
        share = (group + 2**63) / 2**64
        return "validation" if share < self.settings.validation_fraction else "train"

    def _check_once(self) -> None:
        ids = np.frombuffer(self.ids, np.int64)
        order = np.argsort(ids, kind="stable")
        twice = order[1:][ids[order[1:]] == ids[order[:-1]]]
        if len(twice):
            table = np.memmap(self.directory / "rows.bin", ROW, "r")
            row: Any = table[twice.min()]
            raise KerasnasError(
                f"{self.files[row['shard']]}: {row['video'].decode()} occurs twice, with the same "
                "start; leave one of the files out"
            )


def _number(name: bytes) -> int:
    """Return a name as a number of 64 bits."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little", signed=True)
