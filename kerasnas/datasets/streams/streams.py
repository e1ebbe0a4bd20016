"""A directory of streams: long recordings, what sounds in them when, and where it comes from.

```
DIRECTORY/
  streams.csv       optional: filename[,events][,source][,split]
  a.wav  a.txt      a recording with its list of events (.txt, .csv or .tsv; see `event_lists`)
  b.flac            without a list: background only, in which every detection is a false alarm
  events.tsv        optional: events of several recordings, with a column filename
  a.sources.csv     optional: start,stop,source of the recordings that a stream was made of; where
                    two overlap, the later row is heard on top
```

Without `streams.csv` all recordings in the directory and below are streams. `events` names the list
of a stream, where its name is another. `source` is the same for recordings of the same sound, such
as copies and other mixtures: it is heard once, however often it is there. `split` is `train` (to
mine), `validation` (to choose by) or `test`; without it, half of the sources choose, and half are
tested on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kerasnas.datasets.streams.event_lists import SUFFIXES, Line, check_overlaps, read_events
from kerasnas.datasets.table import AUDIO_SUFFIXES, Problems, existing_audio, rows
from kerasnas.decisions.sources import Part
from kerasnas.errors import KerasnasError
from kerasnas.files import digest

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")

TABLE = "streams.csv"
EVENTS = ("events.csv", "events.tsv")
SOURCES = ".sources.csv"
_NO_LISTS = ("readme", "license")


@dataclass(frozen=True)
class Stream:
    """One long recording.

    Attributes:
        id: Its path below the directory.
        path: The recording.
        lines: Its events, as its list has them; none where it is background only.
        source: What is the same for recordings of the same sound; copies share one.
        digest: SHA-256 of the file.
        parts: What it was put together from; empty where it was recorded as it is.
        split: Who uses it; None where nobody said.
    """

    id: str
    path: Path
    lines: tuple[Line, ...]
    source: str = ""
    digest: str = ""
    parts: tuple[Part, ...] = ()
    split: SplitName | None = None

    @property
    def sources(self) -> frozenset[str]:
        """All that is heard in it: its parts, its own source, and its bytes."""
        return frozenset((self.source, self.digest, *(part.source for part in self.parts)))


@dataclass(frozen=True)
class Streams:
    """The streams of a directory, in order of their names.

    Attributes:
        root: The directory.
        streams: They.
    """

    root: Path
    streams: tuple[Stream, ...]

    def part(self, name: SplitName) -> tuple[Stream, ...]:
        """Return the streams of one part of the split."""
        return tuple(stream for stream in self.streams if stream.split == name)


def read_streams(root: Path) -> Streams:
    """Read the lists of a directory of streams; recordings are opened by nobody here.

    Raises:
        KerasnasError: There is no recording, a list belongs to none or is malformed, events of one
            label overlap or end before they start; every line is named.
    """
    if not root.is_dir():
        state = "is a file, not a directory" if root.exists() else "does not exist"
        raise KerasnasError(f"{root}: {state}; give a directory of long recordings")
    problems = Problems()
    found = _listed(root, problems) if (root / TABLE).is_file() else _all_recordings(root)
    found = _with_events(root, found, problems)
    for stream in found:
        check_overlaps(stream.lines, problems)
    problems.check()
    if not found:
        raise KerasnasError(
            f"{root}: no recordings found; expected files with one of {' '.join(AUDIO_SUFFIXES)}"
        )
    return Streams(root, tuple(_with_sources(found)))


def _listed(root: Path, problems: Problems) -> list[Stream]:
    found = list[Stream]()
    met: dict[Path, str] = {}
    optional = ("events", "source", "split")
    for where, row in rows(root / TABLE, ("filename",), optional, problems=problems):
        name = row["filename"]
        path, split = existing_audio(root / name), row.get("split") or None
        if path is None:
            problems.add(f"{where}: {root / name} does not exist")
            continue
        if split not in (None, *SPLITS):
            problems.add(f"{where}: split is {split}; allowed are {', '.join(SPLITS)}")
            continue
        if (before := met.setdefault(path.resolve(), where)) != where:
            problems.add(f"{where}: {name} is listed twice, first in {before}")
            continue
        events = row.get("events")
        if events and not (root / events).is_file():
            problems.add(f"{where}: the list of events {root / events} does not exist")
            continue
        lines = tuple(read_events(root / events, problems)) if events else ()
        part = next((each for each in SPLITS if each == split), None)
        found.append(Stream(name, path, lines, row.get("source") or "", split=part))
    return found


def _all_recordings(root: Path) -> list[Stream]:
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    return [Stream(path.relative_to(root).as_posix(), path, ()) for path in paths]


def _with_events(root: Path, streams: list[Stream], problems: Problems) -> list[Stream]:
    """Return streams with the events and parts of the lists beside them.

    A list that belongs to no recording is a mistake: its recording would be background.
    """
    together = _together(root, streams, problems)
    used = {path for path in (root / name for name in (TABLE, *EVENTS)) if path.is_file()}
    found = []
    for stream in streams:
        lists = [path for suffix in SUFFIXES if (path := stream.path.with_suffix(suffix)).is_file()]
        used |= {*lists}
        if len(lists) > 1:
            problems.add(f"{lists[1]}: {stream.id} has another list, {lists[0].name}; remove one")
        lines = stream.lines or tuple(read_events(lists[0], problems) if lists else ())
        lines = (*lines, *together.get(stream.id, ()))
        sources = stream.path.with_suffix(SOURCES)
        parts = _parts(sources, problems) if sources.is_file() else ()
        found.append(replace(stream, lines=lines, parts=parts))
    for path in sorted(each for suffix in SUFFIXES for each in root.rglob(f"*{suffix}")):
        other = path.name.endswith(SOURCES) or path.stem.lower() in _NO_LISTS
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not (path in used or other or hidden) and not (root / TABLE).is_file():
            problems.add(
                f"{path}: no recording has this name, so that it would count as background; rename "
                f"the list, or name it in the column events of {TABLE}"
            )
    return found


def _together(
    root: Path, streams: Sequence[Stream], problems: Problems
) -> dict[str, tuple[Line, ...]]:
    """Return the events of the lists of several recordings, by id."""
    names = {stream.id for stream in streams}
    found = defaultdict[str, list[Line]](list)
    for path in (root / name for name in EVENTS):
        for line in read_events(path, problems) if path.is_file() else ():
            if line.filename not in names:
                given = repr(line.filename) if line.filename else "an event without a filename"
                problems.add(f"{line.where}: {given} is none of the recordings in {root}")
                continue
            found[line.filename].append(line)
    return {name: tuple(lines) for name, lines in found.items()}


def _parts(path: Path, problems: Problems) -> tuple[Part, ...]:
    parts = []
    for where, row in rows(path, ("start", "stop", "source"), problems=problems):
        try:
            start, stop = float(row["start"]), float(row["stop"])
        except ValueError:
            problems.add(f"{where}: start and stop are not both numbers of seconds")
            continue
        if not (0 <= start < stop and row["source"]):
            problems.add(f"{where}: a part needs a source, and a stop behind its start")
            continue
        parts.append(Part(row["source"], start, stop))
    return tuple(parts)


def _with_sources(streams: Sequence[Stream]) -> list[Stream]:
    """Return streams with their digests; those with the same bytes have the source of the first."""
    first, table = dict[str, Stream](), list[Stream]()
    for stream in streams:
        content = digest(stream.path)
        named = replace(stream, digest=content, source=stream.source or content)
        known = first.setdefault(content, named)
        table.append(replace(named, source=known.source, parts=named.parts or known.parts))
    return table
