"""A plain folder: one directory per label, or a CSV beside the recordings.

This is what most users have. The CSV has the columns `filename,labels[,fold][,split][,group]`;
several labels of a clip are separated by `;`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from kerasnas.datasets.clips import SPLITS, Clip, Clips
from kerasnas.datasets.groups import GroupKey, grouped
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import (
    AUDIO_SUFFIXES,
    UNREADABLE_SUFFIXES,
    Problems,
    existing_audio,
    printable,
    rows,
)
from kerasnas.errors import KerasnasError
from kerasnas.files import copies

_SHOWN = 3
_QUOTED = 60  # characters of a field


class FolderSettings(LayoutSettings):
    """A directory for each label, or a CSV of labels (see `kerasnas.datasets.folder`)."""

    dataset: Literal["folder"] = "folder"
    csv: Path | None = Field(
        None,
        description="A CSV file (filename,labels[,fold][,split][,group]) below root; null takes "
        "the label from the directory.",
    )

    group_by: GroupKey | None = Field(
        None,
        description="What tells the group of a clip that has none in the CSV: prefix, its file's "
        "name up to the first - _ . or space; directory, the one below its label's. Clips of a "
        "group are never parted. null: nothing.",
    )

    @model_validator(mode="after")
    def _directories_are_single_labels(self) -> "FolderSettings":
        if self.multi_label and self.csv is None:
            raise ValueError(
                "multi_label: a directory gives one label per clip; name a csv file of labels"
            )
        return self

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load_directories`, `load_csv` and `with_copies`."""
        if self.csv is None:
            clips = load_directories(root)
        else:
            clips = load_csv(root, self.csv, multi_label=self.multi_label)
        return with_copies(clips if self.group_by is None else grouped(clips, self.group_by))


def folder_of(root: Path) -> FolderSettings:
    """Return the settings for a directory of recordings: with the list of clips in it, if any.

    Args:
        root: The directory, absolute.

    Raises:
        KerasnasError: There are several lists of clips, or the list cannot be read.
    """
    tables = [path for path in sorted(root.glob("*.csv")) if _lists_clips(path)]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise KerasnasError(f"{root} holds several lists of clips ({names}): keep one there")
    if not tables:
        return FolderSettings(root=root)
    # Loading reports the table's problems, all together.
    listed = rows(tables[0], ("filename", "labels"), problems=Problems())
    several = any(len(labels_of(row["labels"])) > 1 for _, row in listed)
    return FolderSettings(root=root, csv=Path(tables[0].name), multi_label=several)


def _lists_clips(path: Path) -> bool:
    """Whether a table is meant to list clips; what is wrong with its header, `rows` says."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        names = {name.strip(' "\n').lower() for name in re.split("[,;\t]", file.readline())}
    return "filename" in names and not names.isdisjoint(("label", "labels"))


def load_directories(root: Path) -> Clips:
    """Load the clips of `root/<label>/**/*`; hidden files and files that are not audio are ignored.

    Raises:
        KerasnasError: When there is no audio, or with every file that lies outside the label
            directories, has an audio format that cannot be read here, has a name that is not
            UTF-8, or is a file that was met before (by a link).
    """
    problems, clips = Problems(), list[Clip]()
    met: dict[Path, Clip] = {}
    for label in sorted(root.iterdir()):  # one by one: rglob does not follow links below its root
        for path in [label] if label.is_file() else sorted(label.rglob("*")):
            relative = path.relative_to(root)
            if not is_audio(relative, path):
                continue
            if problem := _problem_of(path, label):
                problems.add(problem)
                continue
            clips.append(Clip(id=relative.as_posix(), path=path, labels=(label.name,)))
            first = met.setdefault(path.resolve(), clips[-1])
            if first is not clips[-1]:
                problems.add(
                    f"{path}: is the same file as {first.id}, labelled {first.labels[0]}; "
                    "remove one of the two"
                )
    problems.check()
    if not clips:
        raise KerasnasError(
            f"{root}: no audio found; expected {root}/<label>/<name> with one of "
            f"{' '.join(AUDIO_SUFFIXES)}"
        )
    return Clips(tuple(clips), _classes(clips), False, root.name, root)


def load_csv(root: Path, csv: Path, *, multi_label: bool) -> Clips:
    """Load the clips that the CSV file `csv` (below `root`, or absolute) lists, in its order.

    Raises:
        KerasnasError: When the table is malformed; or with every line whose recording is missing
            or listed twice (by whatever path), whose labels do not fit `multi_label`, or which
            holds a line break beside its file's name.
    """
    table = root / csv
    problems, clips = Problems(), list[Clip]()
    met: dict[Path, tuple[Clip, str]] = {}
    for where, row in rows(
        table, ("filename", "labels"), ("fold", "split", "group"), problems=problems
    ):
        name, split = Path(row["filename"]).as_posix(), row.get("split") or None
        if split not in (None, *SPLITS):
            problems.add(f"{where}: split is {split}; allowed are {', '.join(SPLITS)}")
        broken = [each for each in row if each != "filename" and len(row[each].splitlines()) > 1]
        if broken:
            problems.add(
                f"{where}: {broken[0]} holds a line break ({row[broken[0]][:_QUOTED]!r}); write it "
                "on one line, and close what is quoted"
            )
            continue
        labels = labels_of(row["labels"])
        if not multi_label and len(labels) != 1:
            problems.add(
                f"{where}: {len(labels)} labels ({row['labels']!r}) where exactly one is expected; "
                "write multi_label: true when clips carry any number"
            )
        if (path := existing_audio(root / name)) is None:
            problems.add(f"{where}: {root / name} does not exist")
            continue
        fold, group = row.get("fold") or None, row.get("group") or None
        clips.append(Clip(name, path, labels, fold, split, group))
        first, line = met.setdefault(path.resolve(), (clips[-1], where))
        if line != where:
            alias = "" if first.id == name else f" as {first.id}"
            other = f", labelled {';'.join(first.labels)}" if first.labels != labels else ""
            problems.add(f"{where}: {name} is listed twice, first in {line}{alias}{other}")
    problems.check()
    if not clips:
        raise KerasnasError(f"{table}: lists no clips below its header")
    return Clips(tuple(clips), _classes(clips), multi_label, root.name, root)


def labels_of(cell: str) -> tuple[str, ...]:
    """Return the labels in a cell of a list, each once, in their order."""
    parts = (part.strip() for part in cell.split(";"))
    return tuple(dict.fromkeys(part for part in parts if part))


def with_copies(clips: Clips) -> Clips:
    """Mark the clips whose files hold the same bytes as another clip's.

    Raises:
        KerasnasError: With every copy that has other labels than its original, or another group.
    """
    problems, table, found = Problems(), list(clips), copies([clip.path for clip in clips])
    for index, original in found.items():
        clip, first = clips[index], clips[original]
        table[index] = replace(clip, copy_of=first.id)
        same = f"{clip.path}: holds the same bytes as {first.id}"
        if set(clip.labels) != set(first.labels):
            labels = ";".join(first.labels) or "nothing"
            problems.add(f"{same}, labelled {labels}; remove one of the two")
        elif clip.group != first.group:
            problems.add(
                f"{same}, of group {first.group}, and is of group {clip.group}; remove one of the "
                "two, or correct its group"
            )
    problems.check()
    if not found:
        return clips
    pairs = [f"{clips[one].id} of {clips[other].id}" for one, other in found.items()]
    more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    note = (
        f"copies of recordings: {', '.join(pairs[:_SHOWN])}{more}; no split made here parts them "
        "from their originals, but they count twice: remove them"
    )
    return replace(clips, clips=tuple(table), notes=(*clips.notes, note))


def is_audio(relative: Path, path: Path) -> bool:
    """Return whether a file is audio by its name, of a kind that is read or not, and not hidden."""
    if any(part.startswith(".") for part in relative.parts):
        return False
    return path.suffix.lower() in (*AUDIO_SUFFIXES, *UNREADABLE_SUFFIXES) and path.is_file()


def unreadable(path: Path) -> str | None:
    """Return why a file of audio cannot be read, as far as its name tells."""
    if (name := printable(path)) != str(path):
        return f"{name}: the name is not UTF-8 text; rename it (convmv does so for many files)"
    if path.suffix.lower() in UNREADABLE_SUFFIXES:
        return f"{path}: {path.suffix} cannot be read; convert it to wav, flac, ogg or mp3"
    return None


def _problem_of(path: Path, label: Path) -> str | None:
    """Return why a file of audio cannot be taken."""
    if problem := unreadable(path):
        return problem
    if path == label:
        return (
            f"{path}: lies beside the label directories; move it into a directory named after its "
            "label, or name a CSV of labels (data: csv)"
        )
    return None


def _classes(clips: Iterable[Clip]) -> tuple[str, ...]:
    return tuple(sorted({label for clip in clips for label in clip.labels}))
