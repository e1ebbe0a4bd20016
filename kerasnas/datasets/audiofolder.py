"""Hugging Face's AudioFolder: what `datasets.load_dataset("audiofolder", data_dir=…)` reads.

Hugging Face, "Create an audio dataset" (documentation of datasets 4): recordings lie in
directories named after their labels, or a `metadata.csv` or `metadata.jsonl` lists them by
`file_name`, relative to itself. Both may lie in split folders, which may lie in `data/`.

```
root/train/dog/1.wav                  root/train/metadata.jsonl   {"file_name": "1.wav", "label": …}
root/test/cat/7.wav                   root/train/1.wav
```
Deviations: a split folder has one of the names in `SPLIT_FOLDERS` and nothing around it; archives
and `metadata.parquet` are refused; recordings that no metadata lists are left out and counted.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.folder import is_audio, labels_of, unreadable, with_copies
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import AUDIO_SUFFIXES, Problems, existing_audio, rows
from kerasnas.errors import KerasnasError, counted

METADATA = ("metadata.csv", "metadata.jsonl")
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""The split that a folder's name stands for."""

_FILE = "file_name"
_SHOWN = 3


class AudioFolderSettings(LayoutSettings):
    """Hugging Face's AudioFolder (see `kerasnas.datasets.audiofolder`)."""

    dataset: Literal["audiofolder"] = "audiofolder"
    label_column: str = Field(
        "label",
        min_length=1,
        description="Column of the metadata that holds the label; with multi_label a list, or text "
        "in which ; separates labels. Without metadata the directory is the label.",
    )
    group_column: str | None = Field(
        None,
        min_length=1,
        description="Column of the metadata that names a clip's group, such as its speaker; clips "
        "of a group are never parted. null: none.",
    )
    fold_column: str | None = Field(
        None, min_length=1, description="Column of the metadata that names a clip's fold."
    )

    @classmethod
    def recognised(cls, root: Path) -> Self | None:
        """See `LayoutSettings.recognised`."""
        if any(find_metadata(root)) or {"train", "test"} <= set(split_folders(root).values()):
            return cls(root=root, multi_label=several_labels(root))
        return None

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load` and `with_copies`."""
        return with_copies(load(root, self))


def load(root: Path, settings: AudioFolderSettings) -> Clips:
    """Return the clips that metadata lists, or those of directories where there is no metadata.

    Raises:
        KerasnasError: There is no audio; or, with file and line, every record that is malformed,
            names a recording that is missing, listed twice or outside its directory, or whose
            labels do not fit `multi_label`.
    """
    problems, folders = Problems(), split_folders(root)
    metadata = list(find_metadata(root))
    if metadata:
        clips = list(_listed(root, metadata, settings, folders, problems))
    elif settings.multi_label:
        raise KerasnasError(
            f"{root}: holds no {' or '.join(METADATA)}, and a directory gives one label per clip; "
            "write the labels into one, or leave multi_label out"
        )
    else:
        clips = list(_in_directories(root, folders, problems))
    problems.check()
    if not clips:
        raise KerasnasError(
            f"{root}: no audio found; expected [split/]<label>/<name> with one of "
            f"{' '.join(AUDIO_SUFFIXES)}, or a {' or '.join(METADATA)} that lists recordings"
        )
    notes = _unlisted(root, clips) if metadata else ()
    classes = tuple(sorted({label for clip in clips for label in clip.labels}))
    return Clips(tuple(clips), classes, settings.multi_label, root.name, root, notes=notes)


def split_folders(root: Path) -> dict[Path, str]:
    """Return the folders that stand for a split, and its name; none: the data set has no splits."""
    for above in (root, root / "data"):
        inside = sorted(above.iterdir()) if above.is_dir() else []
        found = {
            path: SPLIT_FOLDERS[path.name.lower()]
            for path in inside
            if path.name.lower() in SPLIT_FOLDERS and path.is_dir()
        }
        if found:
            return found
    return {}


def find_metadata(root: Path) -> Iterator[Path]:
    """Yield the metadata files at any depth.

    Raises:
        KerasnasError: A directory has two of them, or one in a format that is not read.
    """
    for path in sorted(root.rglob("metadata.*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        if path.name == "metadata.parquet":
            raise KerasnasError(f"{path}: Parquet is not read; write it as metadata.csv or .jsonl")
        if path.name in METADATA and path.is_file():
            if path.name == METADATA[1] and path.with_name(METADATA[0]).is_file():
                raise KerasnasError(f"{path}: lies beside a {METADATA[0]}; remove one of the two")
            yield path


def several_labels(root: Path) -> bool:
    """Return whether some clip of the metadata, where there is any, has more than one label."""
    settings = AudioFolderSettings(multi_label=True)
    return any(
        len(_labels(record[settings.label_column], settings, where, Problems())) > 1
        for table in find_metadata(root)
        for where, record in _records(table, settings, Problems())
    )


def write_lists(root: Path, listed: Iterable[tuple[str, dict[str, object]]]) -> None:
    """Write the metadata of recordings: JSON lines where a value is a list, else CSV.

    Args:
        root: The data set's directory.
        listed: Of each recording, its path below `root`, whose first directory is its split's, and
            the other columns.
    """
    by_folder: dict[str, list[dict[str, object]]] = {}
    for name, columns in listed:
        folder, _, rest = name.partition("/")
        by_folder.setdefault(folder, []).append({_FILE: rest, **columns})
    for folder, records in by_folder.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        if any(isinstance(value, list) for record in records for value in record.values()):
            lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
            (root / folder / METADATA[1]).write_text(lines, encoding="utf-8")
            continue
        with (root / folder / METADATA[0]).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)


def _in_directories(root: Path, folders: dict[Path, str], problems: Problems) -> Iterator[Clip]:
    """Yield clips that are labelled by the directory they lie in."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if not is_audio(relative, path):
            continue
        if problem := unreadable(path):
            problems.add(problem)
            continue
        folder = _folder_of(path, folders)
        if folders and folder is None:
            problems.add(_beside(path, folders))
        elif path.parent in (root, folder):
            problems.add(
                f"{path}: lies in no directory named after a label; move it into one, or list it "
                f"in {path.parent / METADATA[0]}"
            )
        else:
            split = folders[folder] if folder else None
            yield Clip(relative.as_posix(), path, (path.parent.name,), split=split)


def _listed(
    root: Path,
    metadata: Iterable[Path],
    settings: AudioFolderSettings,
    folders: dict[Path, str],
    problems: Problems,
) -> Iterator[Clip]:
    """Yield the clips that metadata lists, in its order."""
    met: dict[Path, str] = {}
    for table in metadata:
        for where, record in _records(table, settings, problems):
            name = _text(record[_FILE])
            if not name:
                problems.add(f"{where}: {_FILE} is {record[_FILE]!r}; name a file")
                continue
            path = Path(os.path.normpath(table.parent / name))
            if not path.is_relative_to(table.parent):
                problems.add(f"{where}: {name} lies outside {table.parent}; move it, or the list")
                continue
            if (audio := existing_audio(path)) is None:
                problems.add(f"{where}: {path} does not exist")
                continue
            if problem := unreadable(audio):
                problems.add(problem)
                continue
            if met.setdefault(audio, where) != where:
                problems.add(f"{where}: {name} is listed twice, first in {met[audio]}")
                continue
            labels = _labels(record[settings.label_column], settings, where, problems)
            fold, group = (
                _name(record, column, where, problems)
                for column in (settings.fold_column, settings.group_column)
            )
            folder = _folder_of(path, folders)
            if folders and folder is None:
                problems.add(f"{where}: {_beside(path, folders)}")
                continue
            split = folders[folder] if folder else None
            id = path.relative_to(root).as_posix()
            yield Clip(id, audio, labels, fold, split, group)


def _records(
    table: Path, settings: AudioFolderSettings, problems: Problems
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `("file:line", columns)` of a metadata file.

    Raises:
        KerasnasError: It is not text, or lacks a column.
    """
    named = (settings.label_column, settings.group_column, settings.fold_column)
    wanted = [_FILE, *(column for column in named if column is not None)]
    if table.suffix == ".csv":
        yield from rows(table, wanted, problems=problems, others=True)
        return
    try:
        lines = table.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KerasnasError(f"{table}: cannot be read as UTF-8 text ({error})") from None
    for number, line in enumerate(lines, 1):
        where = f"{table}:{number}"
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.add(f"{where}: not valid JSON ({error})")
            continue
        if not isinstance(record, dict):
            problems.add(f'{where}: expected an object such as {{"{_FILE}": …}}, not {line[:40]}')
            continue
        if missing := [column for column in wanted if column not in record]:
            problems.add(f"{where}: no {missing[0]}; it has {', '.join(record) or 'nothing'}")
            continue
        yield where, record


def _labels(
    value: object, settings: AudioFolderSettings, where: str, problems: Problems
) -> tuple[str, ...]:
    """Return the labels in a record; what cannot be one is a problem."""
    texts = [_text(each) for each in (value if isinstance(value, list) else [value])]
    if None in texts:
        problems.add(
            f"{where}: {settings.label_column} is {value!r}; labels are text or whole numbers"
        )
        return ()
    labels = labels_of(";".join(text for text in texts if text))
    if not settings.multi_label and len(labels) != 1:
        problems.add(
            f"{where}: {counted(len(labels), 'label')} ({value!r}) where exactly one is expected; "
            "write multi_label: true when clips carry any number"
        )
    return labels


def _name(record: dict[str, Any], column: str | None, where: str, problems: Problems) -> str | None:
    """Return the name of a fold or group in a record; None where it has none."""
    if column is None:
        return None
    text = _text(record[column])
    if text is None:
        problems.add(f"{where}: {column} is {record[column]!r}; names are text or whole numbers")
    return text or None


def _text(value: object) -> str | None:
    """Return text or a whole number as text, nothing as empty text; None for all else."""
    if value is None or isinstance(value, str):
        return (value or "").strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _folder_of(path: Path, folders: dict[Path, str]) -> Path | None:
    return next((folder for folder in folders if path.is_relative_to(folder)), None)


def _beside(path: Path, folders: dict[Path, str]) -> str:
    names = ", ".join(folder.name for folder in folders)
    return (
        f"{path}: lies in none of the split folders ({names}); move it into one, or write "
        "dataset: folder if these are labels"
    )


def _unlisted(root: Path, clips: Iterable[Clip]) -> tuple[str, ...]:
    """Return a note on the recordings that no metadata lists; nothing where all are listed."""
    listed = {clip.path for clip in clips}
    found = (path for path in sorted(root.rglob("*")) if is_audio(path.relative_to(root), path))
    left = [path.relative_to(root).as_posix() for path in found if path not in listed]
    if not left:
        return ()
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return (
        f"{counted(len(left), 'recording')} left out, since no metadata lists "
        f"{'it' if len(left) == 1 else 'them'}: {', '.join(left[:_SHOWN])}{more}",
    )
