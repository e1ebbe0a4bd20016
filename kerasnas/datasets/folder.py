"""A plain folder: one directory per label, or a CSV beside the recordings.

This is what most users have. The CSV has the columns `filename,labels[,fold][,split][,group]`;
several labels of a clip are separated by `;`.
"""

from collections.abc import Iterable
from pathlib import Path

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.table import AUDIO_SUFFIXES, UNREADABLE_SUFFIXES, audio_file, rows
from kerasnas.errors import KerasnasError

SPLITS = ("train", "validation", "test")


def load_directories(root: Path) -> Clips:
    """Clips of `root/<label>/**/*`; hidden files and files that are not audio are ignored.

    Raises:
        KerasnasError: When there is no audio, audio lies outside the label directories, or a file
            has an audio format that cannot be read here.
    """
    clips = []
    for label in sorted(root.iterdir()):  # one by one: rglob does not follow links below its root
        if _is_audio(label.relative_to(root), label):
            raise KerasnasError(
                f"{label}: lies beside the label directories; move it into a directory named "
                "after its label, or name a CSV of labels (data: csv)"
            )
        for path in sorted(label.rglob("*")):
            relative = path.relative_to(root)
            if _is_audio(relative, path):
                clips.append(Clip(id=relative.as_posix(), path=path, labels=(label.name,)))
    if not clips:
        raise KerasnasError(
            f"{root}: no audio found; expected {root}/<label>/<name> with one of "
            f"{' '.join(AUDIO_SUFFIXES)}"
        )
    return Clips(tuple(clips), _classes(clips), False, root.name, root)


def load_csv(root: Path, csv: Path, *, multi_label: bool) -> Clips:
    """Clips that the CSV file `csv` (below `root`, or absolute) lists, in its order.

    Raises:
        KerasnasError: With file and line, when the table is malformed, a recording is missing or
            listed twice, or the labels do not fit `multi_label`.
    """
    table = root / csv
    clips: dict[str, Clip] = {}
    for where, row in rows(table, ("filename", "labels"), ("fold", "split", "group")):
        name = Path(row["filename"]).as_posix()
        if name in clips:
            raise KerasnasError(f"{where}: {name} is listed twice")
        split = row.get("split") or None
        if split not in (None, *SPLITS):
            raise KerasnasError(f"{where}: split is {split}; allowed are {', '.join(SPLITS)}")
        clips[name] = Clip(
            id=name,
            path=audio_file(root / name, where),
            labels=_labels(row["labels"], multi_label, where),
            fold=row.get("fold") or None,
            split=split,
            group=row.get("group") or None,
        )
    if not clips:
        raise KerasnasError(f"{table}: lists no clips below its header")
    return Clips(tuple(clips.values()), _classes(clips.values()), multi_label, root.name, root)


def _is_audio(relative: Path, path: Path) -> bool:
    if any(part.startswith(".") for part in relative.parts) or not path.is_file():
        return False
    suffix = path.suffix.lower()
    if suffix in UNREADABLE_SUFFIXES:
        raise KerasnasError(f"{path}: {suffix} cannot be read; convert it to wav, flac, ogg or mp3")
    return suffix in AUDIO_SUFFIXES


def _labels(text: str, multi_label: bool, where: str) -> tuple[str, ...]:
    labels = tuple(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
    if not multi_label and len(labels) != 1:
        raise KerasnasError(
            f"{where}: {len(labels)} labels ({text!r}) where exactly one is expected; "
            "write multi_label: true when clips carry any number"
        )
    return labels


def _classes(clips: Iterable[Clip]) -> tuple[str, ...]:
    return tuple(sorted({label for clip in clips for label in clip.labels}))
