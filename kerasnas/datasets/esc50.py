"""ESC-50 and ESC-10 in their official layout.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015:
`audio/{fold}-{clip}-{take}-{target}.wav` and `meta/esc50.csv` with the columns
`filename,fold,target,category,esc10,src_file,take`. Clips of one source are in one fold, and are
one group here. Files may have been converted to another format that can be read.
"""

from pathlib import Path

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.table import audio_file, rows
from kerasnas.errors import KerasnasError

COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")


def load(root: Path, *, esc10: bool = False) -> Clips:
    """Clips of ESC-50, or of its ten ESC-10 classes; classes in the order of their targets.

    Raises:
        KerasnasError: With file and line, when the table is malformed or a recording is missing.
    """
    table = root / "meta" / "esc50.csv"
    clips: dict[str, Clip] = {}
    targets: dict[str, int] = {}
    for where, row in rows(table, COLUMNS):
        if row["esc10"] not in ("True", "False"):
            raise KerasnasError(f"{where}: esc10 is {row['esc10']!r}; allowed are True and False")
        if esc10 and row["esc10"] == "False":
            continue
        name, category = row["filename"], row["category"]
        if not row["target"].isdigit() or not row["fold"].isdigit():
            raise KerasnasError(
                f"{where}: fold {row['fold']!r} and target {row['target']!r} must be numbers"
            )
        if targets.setdefault(category, int(row["target"])) != int(row["target"]):
            raise KerasnasError(
                f"{where}: {category} has target {row['target']}, before it was {targets[category]}"
            )
        if name in clips:
            raise KerasnasError(f"{where}: {name} is listed twice")
        path = audio_file(root / "audio" / name, where)
        clips[name] = Clip(name, path, (category,), fold=row["fold"], group=row["src_file"])
    if not clips:
        raise KerasnasError(f"{table}: lists no {'ESC-10 ' if esc10 else ''}clips below its header")
    classes = tuple(sorted(targets, key=lambda category: targets[category]))
    return Clips(tuple(clips.values()), classes, False, "ESC-10" if esc10 else "ESC-50", root)
