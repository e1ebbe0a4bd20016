"""Clips that were mined from streams: they train beside a data set's own, and do nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.table import Problems, rows
from kerasnas.decisions.settings import OTHER
from kerasnas.files import write_atomically

_COLUMNS = ("filename", "label")


def with_mined(clips: Clips, table: Path) -> Clips:
    """Return clips of a data set, and behind them those that were mined.

    With one label a clip, `other` becomes a class of its own unless there is one; where clips carry
    several labels, a clip of `other` has none.

    Args:
        clips: Of the data set.
        table: CSV of `filename,label`; names are absolute, or below its directory.

    Raises:
        KerasnasError: The table cannot be read, a file is missing, or a label is neither a class
            nor `other`.
    """
    problems, found = Problems(), list[Clip]()
    for where, row in rows(table, _COLUMNS, problems=problems):
        path, label = table.parent / row["filename"], row["label"]
        if not path.is_file():
            problems.add(f"{where}: {path} does not exist")
        elif label not in (*clips.classes, OTHER):
            problems.add(
                f"{where}: {label} is no class ({', '.join(clips.classes)}), nor {OTHER}; "
                "correct the label"
            )
        else:
            labels = () if clips.multi_label and label == OTHER else (label,)
            found.append(Clip(f"mined/{row['filename']}", path, labels, only_trains=True))
    problems.check()
    new = {label for clip in found for label in clip.labels} - {*clips.classes}
    return replace(clips, clips=(*clips, *found), classes=(*clips.classes, *sorted(new)))


def read_mined(table: Path) -> list[tuple[str, str]]:
    """Return absolute names of the files of a table, and their labels."""
    directory = table.absolute().parent
    return [(str(directory / row["filename"]), row["label"]) for _, row in rows(table, _COLUMNS)]


def write_mined(table: Path, clips: Iterable[tuple[str, str]]) -> None:
    """Write what `with_mined` reads: files, absolute or below the table's directory, and labels."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *clips])
    write_atomically(table, text.getvalue())
