"""CHiME-Home (DCASE 2016 task 4, domestic audio tagging) in its official layout.

P. Foster et al., "CHiME-Home: a dataset for sound source recognition in a domestic environment",
WASPAA 2015. `chunks/NAME.16kHz.wav` (mono) and `NAME.48kHz.wav` (stereo), four seconds each, with
`NAME.csv` beside them: lines of `key,value` without a header, of which `majorityvote` holds one
letter for every tag that at least two of three annotators chose. The lists
`{development,evaluation}_chunks_{refined,raw}.csv` have lines of `index,name`, and
`development_chunks_refined_crossval_dcase2016.csv` of `index,name,fold`.

The published folds part three segments. They are taken as they are; `Clips.notes` names the
segments.

Seven tags are scored. A chunk that annotators found silent (`S`) or could not identify (`U`), or
agreed on nothing about, stays in the data set without any tag: it can only be tagged wrongly.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from kerasnas.datasets.clips import Clip, Clips
from kerasnas.datasets.settings import LayoutSettings
from kerasnas.datasets.table import audio_file
from kerasnas.errors import KerasnasError

TAGS = ("c", "m", "f", "v", "p", "b", "o")
"""Child, adult male and adult female speech, video game or TV, percussive, broadband, other."""

_NOT_SCORED = ("S", "U")
_FOLDS = "development_chunks_refined_crossval_dcase2016.csv"


class ChimeHomeSettings(LayoutSettings):
    """CHiME-Home: which chunks (see `kerasnas.datasets.chime_home`)."""

    dataset: Literal["chime_home"] = "chime_home"
    multi_label: Literal[True] = Field(True, description="Chunks carry any number of labels.")
    chunks: Literal["refined", "raw"] = Field(
        "refined", description="refined: on which annotators strongly agree; raw: all."
    )
    sample_rate: Literal[16000, 48000] = Field(
        16000, description="Which files to read, Hz: mono at 16000, stereo at 48000."
    )
    evaluation: bool = Field(
        False,
        description="Add the evaluation chunks, with the split test; the others have train.",
    )

    def read(self, root: Path, cache: Path) -> Clips:
        """See `load`."""
        return load(root, self)


def load(root: Path, settings: ChimeHomeSettings) -> Clips:
    """Chunks of the development set, and of the evaluation set when `settings` ask for it.

    Refined development chunks carry their official fold. A chunk that is only in the raw list has
    the fold of most refined chunks of its segment (of equally many, the first fold); where its
    segment has none, as with 75 chunks, it has no fold and is trained on whichever fold is tested
    on. With the evaluation set, its chunks have the split `test` and the others `train`. A chunk's
    group is its segment, five minutes of recording.

    Args:
        root: The directory with `chunks`, or the one that holds it as `chime_home`.
        settings: Which lists, and which files.

    Raises:
        KerasnasError: With file and line, when a list or an annotation is malformed, or a chunk is
            missing or listed twice.
    """
    if not (root / "chunks").is_dir() and (root / "chime_home").is_dir():
        root = root / "chime_home"
    names = _chunks(root / f"development_chunks_{settings.chunks}.csv")
    folds = _folds(root / _FOLDS)
    of_chunks = {name: fold for name, (_, fold) in folds.items()}
    parted = _by_segment(of_chunks)
    of_segments = {name: min(among, key=lambda f: (-among[f], f)) for name, among in parted.items()}
    rate = f".{settings.sample_rate // 1000}kHz.wav"
    clips = [
        replace(
            _clip(root, name, where, rate),
            fold=of_chunks.get(name, of_segments.get(segment(name))),
            split="train" if settings.evaluation else None,
        )
        for name, where in names.items()
    ]
    cut = {name: sorted(among) for name, among in parted.items() if len(among) > 1}
    notes = _notes(cut, sum(clip.fold is None for clip in clips))
    if settings.chunks == "refined":
        _check_same(root, names, folds)
    if settings.evaluation:
        listed = _chunks(root / f"evaluation_chunks_{settings.chunks}.csv")
        if twice := [name for name in listed if name in names]:
            raise KerasnasError(f"{listed[twice[0]]}: {twice[0]} is a development chunk, too")
        clips += [
            replace(_clip(root, name, where, rate), split="test") for name, where in listed.items()
        ]
    return Clips(tuple(clips), TAGS, True, "CHiME-Home", root, cut=tuple(cut), notes=notes)


def segment(name: str) -> str:
    """Return the segment a chunk was cut from: the part of its name before `_chunk`."""
    return name.rpartition("_chunk")[0] or name


def _by_segment(folds: dict[str, str]) -> dict[str, Counter[str]]:
    """Return how many chunks of each segment are in which fold."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, fold in folds.items():
        found[segment(name)][fold] += 1
    return found


def _notes(cut: dict[str, list[str]], without_fold: int) -> tuple[str, ...]:
    notes = []
    if cut:
        named = ", ".join(f"{name} (folds {', '.join(folds)})" for name, folds in cut.items())
        notes.append(
            f"the published folds are taken as they are, and cut {len(cut)} of the segments, so "
            f"that chunks of one recording are trained on and tested on: {named}"
        )
    if without_fold:
        notes.append(
            f"{without_fold} chunks are of segments without refined chunks and have no fold: they "
            "are trained on, whichever fold is tested on"
        )
    return tuple(notes)


def _clip(root: Path, name: str, where: str, rate: str) -> Clip:
    path = audio_file(root / "chunks" / f"{name}{rate}", where)
    annotation = root / "chunks" / f"{name}.csv"
    if not annotation.is_file():
        raise KerasnasError(f"{where}: {annotation} does not exist")
    return Clip(name, path, _tags(annotation), group=segment(name))


def _tags(annotation: Path) -> tuple[str, ...]:
    line = 0
    for line, (key, *values) in _lines(annotation):
        if key == "majorityvote":
            letters = "".join(values)
            for letter in letters:
                if letter not in (*TAGS, *_NOT_SCORED):
                    raise KerasnasError(
                        f"{annotation}:{line}: unknown letter {letter!r} in majorityvote "
                        f"{letters!r}; the letters are {' '.join((*TAGS, *_NOT_SCORED))}"
                    )
            return tuple(tag for tag in TAGS if tag in letters)
    raise KerasnasError(
        f"{annotation}:{line}: the annotation ends without majorityvote; expected a line "
        "majorityvote,LETTERS"
    )


def _chunks(path: Path) -> dict[str, str]:
    """Where each chunk is listed, by name, in the list's order."""
    return {name: where for name, (where, _) in _listed(path, "index,name").items()}


def _folds(path: Path) -> dict[str, tuple[str, str]]:
    """Where each chunk's fold is listed, and the fold, by name."""
    return {
        name: (where, fold) for name, (where, (fold,)) in _listed(path, "index,name,fold").items()
    }


def _listed(path: Path, columns: str) -> dict[str, tuple[str, list[str]]]:
    listed: dict[str, tuple[str, list[str]]] = {}
    for line, fields in _lines(path):
        where = f"{path}:{line}"
        if len(fields) != columns.count(",") + 1 or not fields[1]:
            raise KerasnasError(f"{where}: {','.join(fields)!r} where {columns} is expected")
        if fields[1] in listed:
            raise KerasnasError(f"{where}: {fields[1]} is listed twice")
        listed[fields[1]] = where, fields[2:]
    if not listed:
        raise KerasnasError(f"{path}: lists no chunks; expected lines of {columns}")
    return listed


def _check_same(root: Path, names: dict[str, str], folds: dict[str, tuple[str, str]]) -> None:
    if without := [name for name in names if name not in folds]:
        raise KerasnasError(f"{names[without[0]]}: {without[0]} has no fold in {root / _FOLDS}")
    if others := [name for name in folds if name not in names]:
        raise KerasnasError(
            f"{folds[others[0]][0]}: {others[0]} is not in development_chunks_refined.csv"
        )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number, from 1, and stripped fields of every line that is not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise KerasnasError(f"{path}: no such file; CHiME-Home has one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KerasnasError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    for number, fields in enumerate(csv.reader(text.splitlines()), 1):
        if any(field.strip() for field in fields):
            yield number, [field.strip() for field in fields]


@dataclass(frozen=True)
class Chunk:
    """A chunk to be written.

    Attributes:
        name: Ends with `_chunkN`; what is before names the segment.
        tags: Of `TAGS`; none is written as silence.
        fold: The official fold; None for an evaluation chunk.
        refined: Whether it is in the refined lists, too.
    """

    name: str
    tags: tuple[str, ...]
    fold: int | None
    refined: bool = True


def write_lists(root: Path, chunks: Iterable[Chunk]) -> None:
    """Write the annotations and all lists for chunks whose audio is below `root/chunks`."""
    chunks = list(chunks)
    (root / "chunks").mkdir(parents=True, exist_ok=True)
    for chunk in chunks:
        name, _, number = chunk.name.rpartition("_chunk")
        votes = "".join(tag for tag in TAGS if tag in chunk.tags) or "S"
        lines = [["segmentname", name], ["chunknumber", number], ["framestart", "0"]]
        for annotator in (1, 2, 3):
            lines += [[f"annotation_a{annotator}", votes], [f"session_a{annotator}", "1"]]
        lines += [["majorityvote", votes], ["chunkname", chunk.name]]
        _write(root / "chunks" / f"{chunk.name}.csv", lines)
    for part in ("development", "evaluation"):
        mine = [chunk for chunk in chunks if (chunk.fold is None) == (part == "evaluation")]
        refined = [chunk for chunk in mine if chunk.refined]
        for kind, listed in (("raw", mine), ("refined", refined)):
            lines = [[str(index), chunk.name] for index, chunk in enumerate(listed)]
            _write(root / f"{part}_chunks_{kind}.csv", lines)
        if part == "development":
            _write(
                root / _FOLDS,
                [[str(i), chunk.name, str(chunk.fold)] for i, chunk in enumerate(refined)],
            )


def _write(path: Path, lines: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
