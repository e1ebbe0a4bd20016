"""ESC-50 and ESC-10 in their official layout.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015:
`audio/{fold}-{clip}-{take}-{target}.wav` and `meta/esc50.csv` with the columns
`filename,fold,target,category,esc10,src_file,take`. Clips of one source are in one fold, and are
one group here. Files may have been converted to another format that can be read.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import Problems, existing_audio, rows
from kerasnas.errors import KerasnasError

_TABLE = Path("meta", "esc50.csv")
COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")


class Esc50Settings(LayoutSettings):
    """ESC-50, or ESC-10 (see `kerasnas.datasets.esc50`)."""

    dataset: Literal["esc50"] = "esc50"
    multi_label: Literal[False] = Field(False, description="A clip carries one label.")
    esc10: bool = Field(False, description="Keep the ten classes of ESC-10.")

    @classmethod
    def recognised(cls, root: Path) -> Self | None:
        """See `LayoutSettings.recognised`."""
        return cls(root=root) if (root / _TABLE).is_file() else None

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load`."""
        return load(root, esc10=self.esc10)


def load(root: Path, *, esc10: bool = False) -> Clips:
    """Clips of ESC-50, or of its ten ESC-10 classes; classes in the order of their targets.

    Raises:
        KerasnasError: With file and line, when the table is malformed or a recording is missing.
    """
    table, problems = root / _TABLE, Problems()
    clips: dict[str, Clip] = {}
    targets: dict[str, int] = {}
    for where, row in rows(table, COLUMNS, problems=problems):
        if row["esc10"] not in ("True", "False"):
            problems.add(f"{where}: esc10 is {row['esc10']!r}; allowed are True and False")
            continue
        if esc10 and row["esc10"] == "False":
            continue
        name, category = row["filename"], row["category"]
        if not row["target"].isdigit() or not row["fold"].isdigit():
            problems.add(
                f"{where}: fold {row['fold']!r} and target {row['target']!r} must be numbers"
            )
            continue
        if targets.setdefault(category, int(row["target"])) != int(row["target"]):
            problems.add(
                f"{where}: {category} has target {row['target']}, before it was {targets[category]}"
            )
        if name in clips:
            problems.add(f"{where}: {name} is listed twice")
            continue
        if (path := existing_audio(root / "audio" / name)) is None:
            problems.add(f"{where}: {root / 'audio' / name} does not exist")
            continue
        clips[name] = Clip(name, path, (category,), fold=row["fold"], group=row["src_file"])
    problems.check()
    if not clips:
        raise KerasnasError(f"{table}: lists no {'ESC-10 ' if esc10 else ''}clips below its header")
    classes = tuple(sorted(targets, key=lambda category: targets[category]))
    return Clips(tuple(clips.values()), classes, False, "ESC-10" if esc10 else "ESC-50", root)
