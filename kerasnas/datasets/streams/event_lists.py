"""Lists of events in the formats that people have.

- **Audacity's label tracks** (`.txt`): `start<TAB>stop<TAB>label`, seconds, no header; lines that
  begin with a backslash are frequencies, and are left out.
- **DCASE's** (`.tsv`): columns `onset`, `offset`, `event_label`; or as Audacity's, no header.
- **CSV** (`.csv`): columns `start`, `stop` (or `end`) and `label`.

A table of several recordings has a column `filename`, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from kerasnas.datasets.table import Problems, rows
from kerasnas.decisions.events import Event
from kerasnas.decisions.settings import OTHER

SUFFIXES = (".txt", ".csv", ".tsv")

_BEYOND = 0.1  # seconds that a list may go on behind its recording's end: rounding
_NAMES = {
    "start": ("start", "onset", "begin"),
    "stop": ("stop", "end", "offset"),
    "label": ("label", "event_label", "class"),
}


class Line(NamedTuple):
    """An event as a list has it.

    Attributes:
        where: `file:line`.
        filename: Of the recording; empty in a list of one recording.
        event: The event.
    """

    where: str
    filename: str
    event: Event


def read_events(path: Path, problems: Problems) -> list[Line]:
    """Read a list of events.

    Args:
        path: The file.
        problems: Where lines that cannot be used are reported, which are left out.

    Raises:
        KerasnasError: The file cannot be read, or lacks a column.
    """
    found = []
    for where, row in _rows(path, problems):
        start, stop = (_seconds(row[name]) for name in ("start", "stop"))
        if start is None or stop is None:
            wrong = row["start"] if start is None else row["stop"]
            problems.add(
                f"{where}: {wrong!r} is no number of seconds from 0 on; write 12.5, with a point"
            )
        elif not row["label"]:
            problems.add(f"{where}: the event has no label")
        elif stop <= start:
            state = "ends where it starts" if stop == start else "ends before it starts"
            problems.add(
                f"{where}: {row['label']} {state} ({start:g} to {stop:g} s); give it the time in "
                "which it sounds"
            )
        else:
            event = Event(row["label"], start, stop)
            found.append(Line(where, row.get("filename", ""), event))
    return found


def check_overlaps(lines: Sequence[Line], problems: Problems) -> None:
    """Report events of one label that sound at the same time, of one recording.

    Those of different labels may overlap.
    """
    latest: dict[str, Line] = {}
    for line in sorted(lines, key=lambda line: line.event.start):
        before = latest.get(line.event.label)
        if before is not None and line.event.start < before.event.stop:
            problems.add(
                f"{line.where}: {line.event.label} from {line.event.start:g} s on begins before "
                f"that of {before.where} ends, at {before.event.stop:g} s: write the two as one "
                "event, or end the first earlier"
            )
        if before is None or line.event.stop > before.event.stop:
            latest[line.event.label] = line


def check_ends(lines: Sequence[Line], seconds: float, problems: Problems) -> list[Event]:
    """Return events that end with their recording at the latest; report those that go beyond.

    Args:
        lines: Of one recording.
        seconds: Its length.
        problems: Where they are reported.
    """
    found = []
    for line in lines:
        event = line.event
        if event.stop > seconds + _BEYOND or event.start >= seconds:
            problems.add(
                f"{line.where}: {event.label} ends at {event.stop:g} s, and the recording at "
                f"{seconds:.2f} s: is the list of another recording?"
            )
        else:
            found.append(Event(event.label, event.start, min(event.stop, seconds)))
    return found


def check_labels(lines: Sequence[Line], labels: Sequence[str], problems: Problems) -> None:
    """Report labels that are none of a network's classes, nor `other`; each once a list."""
    known, told = {*labels, OTHER}, set[str]()
    for line in lines:
        label = line.event.label
        if label in known or label in told:
            continue
        told.add(label)
        close = get_close_matches(label, sorted(known), n=1)
        meant = f"; {close[0]} is meant?" if close else ""
        problems.add(
            f"{line.where}: the network has no class {label}{meant} (it has {', '.join(labels)}): "
            f"rename the event, or call it {OTHER} where it is none of these"
        )


def _rows(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield rows with the columns `start`, `stop`, `label` and, if there is one, `filename`."""
    tabs = path.suffix.lower() != ".csv"
    if tabs and not _has_header(path):
        columns = ("start", "stop", "label")
        for where, row in rows(path, columns, delimiter="\t", header_line=False, problems=problems):
            if not row["start"].startswith("\\"):
                yield where, row
        return
    header = _header(path, "\t" if tabs else ",")
    names = {
        name: next((each for each in known if each in header), known[0])
        for name, known in _NAMES.items()
    }
    delimiter = "\t" if tabs else ","
    read = rows(path, [*names.values()], ("filename",), delimiter=delimiter, problems=problems)
    for where, row in read:
        found = {name: row[column] for name, column in names.items()}
        yield where, found | {name: row[name] for name in ("filename",) if name in row}


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []  # `rows` says what is wrong
    return [name.strip() for name in text.partition("\n")[0].split(delimiter)]


def _has_header(path: Path) -> bool:
    known = {name for names in _NAMES.values() for name in names}
    return not known.isdisjoint(_header(path, "\t"))


def _seconds(text: str) -> float | None:
    """Return a time, or None where the text is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
