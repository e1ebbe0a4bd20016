"""SINS domestic activities (DCASE 2018 task 5) in its official layout.

G. Dekkers et al., "DCASE 2018 challenge - task 5: monitoring of domestic activities based on
multi-channel acoustics", 2018. `audio/` holds segments of ten seconds with four channels at 16 kHz.
`meta.txt` and the lists in `evaluation_setup` are tables without a header, columns parted by tabs:
file, label and session in `meta.txt`, `foldN_train.txt` and `foldN_evaluate.txt`, the file alone in
`foldN_test.txt` (which is not read) for the folds 1 to 4. A session is the recording of one
activity, cut into segments and heard by several nodes of four microphones each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import audio_file, rows
from kerasnas.errors import KerasnasError

LABELS = (
    "absence",
    "cooking",
    "dishwashing",
    "eating",
    "other",
    "social_activity",
    "vacuum_cleaner",
    "watching_tv",
    "working",
)
_COLUMNS = ("file", "label", "session")
_SETUP = "evaluation_setup"


class SinsSettings(LayoutSettings):
    """SINS: which segments (see `kerasnas.datasets.sins`)."""

    dataset: Literal["sins"] = "sins"
    multi_label: Literal[False] = Field(False, description="A segment carries one label.")
    evaluation: Path | None = Field(
        None,
        description="Directory of the evaluation set (below root, or absolute), whose segments "
        "have the split test; the others then have train. null: the development set alone.",
    )

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load`."""
        return load(root, self)


class _Entry(NamedTuple):
    where: str
    label: str
    session: str


def load(root: Path, settings: SinsSettings) -> Clips:
    """Segments of the development set, and of the evaluation set when `settings` name it.

    A segment is one clip, whatever its channels become (`features.channel_examples`). Its fold is
    the one that evaluates on it, its group the session. With the evaluation set, its segments have
    the split `test` and the others `train`.

    Args:
        root: The directory of the development set, with `meta.txt`.
        settings: Where the evaluation set is.

    Raises:
        KerasnasError: With file and line, when a list is malformed or contradicts another, a
            session is listed with two labels, or a segment is missing or listed twice.
    """
    listed = _entries(root / "meta.txt")
    folds = _folds(root, listed)
    part = "train" if settings.evaluation else None
    clips = [
        Clip(name, audio_file(root / name, where), (label,), folds[name], part, session)
        for name, (where, label, session) in listed.items()
    ]
    if settings.evaluation:
        other = root / settings.evaluation
        clips += [
            Clip(
                f"evaluation/{name}",
                audio_file(other / name, where),
                (label,),
                split="test",
                group=f"evaluation/{session}",  # numbered anew
            )
            for name, (where, label, session) in _entries(other / "meta.txt").items()
        ]
    return Clips(tuple(clips), LABELS, False, "SINS", root)


def _entries(path: Path) -> dict[str, _Entry]:
    """Where each file is listed, its label and session, in the list's order."""
    entries: dict[str, _Entry] = {}
    sessions: dict[str, _Entry] = {}
    for where, row in rows(path, _COLUMNS, delimiter="\t", header_line=False):
        name, entry = row["file"], _Entry(where, row["label"], row["session"])
        if not all(row.values()):
            raise KerasnasError(f"{where}: a field is empty; expected {', '.join(_COLUMNS)}")
        if entry.label not in LABELS:
            raise KerasnasError(
                f"{where}: unknown label {entry.label!r}; the labels are {', '.join(LABELS)}"
            )
        if name in entries:
            raise KerasnasError(f"{where}: {name} is listed twice, first in {entries[name].where}")
        first = sessions.setdefault(entry.session, entry)
        if first.label != entry.label:
            raise KerasnasError(
                f"{where}: session {entry.session} is {entry.label} here and {first.label} in "
                f"{first.where}; a session is the recording of one activity"
            )
        entries[name] = entry
    if not entries:
        raise KerasnasError(f"{path}: lists no files; expected lines of {', '.join(_COLUMNS)}")
    return entries


def _folds(root: Path, listed: dict[str, _Entry]) -> dict[str, str]:
    """Return the fold of every file: the one whose list of files to evaluate on it is in."""
    folds: dict[str, str] = {}
    for path in sorted((root / _SETUP).glob("fold*_evaluate.txt")):
        fold = path.name.removeprefix("fold").removesuffix("_evaluate.txt")
        evaluated = _entries(path)
        trained = _entries(path.with_name(f"fold{fold}_train.txt"))
        for name, entry in [*evaluated.items(), *trained.items()]:
            if name not in listed:
                raise KerasnasError(f"{entry.where}: {name} is not in {root / 'meta.txt'}")
            if entry[1:] != listed[name][1:]:
                raise KerasnasError(
                    f"{entry.where}: {name} is {entry.label}, {entry.session} here and "
                    f"{listed[name].label}, {listed[name].session} in {listed[name].where}"
                )
        for name, entry in evaluated.items():
            if name in trained:
                raise KerasnasError(
                    f"{entry.where}: {name} is trained on, too ({trained[name].where})"
                )
            if folds.setdefault(name, fold) != fold:
                raise KerasnasError(f"{entry.where}: {name} is in fold {folds[name]}, too")
    if without := [name for name in listed if name not in folds]:
        raise KerasnasError(
            f"{listed[without[0]].where}: {without[0]} is in no fold: no {root / _SETUP}/"
            "foldN_evaluate.txt lists it"
        )
    return folds


@dataclass(frozen=True)
class Segment:
    """A segment to be listed.

    Attributes:
        file: Below the data set's root.
        label: One of `LABELS`.
        session: The recording it was cut from.
        fold: The fold that evaluates on it; None in an evaluation set.
    """

    file: str
    label: str
    session: str
    fold: str | None


def write_lists(root: Path, segments: Iterable[Segment]) -> None:
    """Write `meta.txt` and the folds' lists, or those of an evaluation set, which has no folds."""
    segments = list(segments)
    folds = sorted({segment.fold for segment in segments if segment.fold is not None})
    _write(root / "meta.txt", segments)
    if not folds:
        _write(root / _SETUP / "evaluate.txt", segments)
    for fold in folds:
        tested = [segment for segment in segments if segment.fold == fold]
        _write(root / _SETUP / f"fold{fold}_evaluate.txt", tested)
        _write(root / _SETUP / f"fold{fold}_test.txt", tested, columns=1)
        rest = [segment for segment in segments if segment.fold != fold]
        _write(root / _SETUP / f"fold{fold}_train.txt", rest)


def _write(path: Path, segments: Iterable[Segment], columns: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [(segment.file, segment.label, segment.session)[:columns] for segment in segments]
    path.write_text("\n".join("\t".join(line) for line in lines), encoding="utf-8")
