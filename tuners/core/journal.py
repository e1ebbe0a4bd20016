"""An append-only journal of a search: JSON lines, one header and then events.

What is promised: a killed process loses nothing that was appended. A line that was being written
is cut off when the journal is opened again. A failed write is undone, so that nothing half-written
is ever read back. Only completed trials are forced to disk (`fsync`). While it is open, the file is
locked (`flock`, POSIX), which a killed process gives up by dying.
"""

from __future__ import annotations

import fcntl
import json
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import JournalError

FORMAT = "kerasnas.tuners journal"
SCHEMA = 1
JOURNAL = "journal.jsonl"

_PREFIX = f'{{"format": "{FORMAT}", "schema": '.encode()
_open_here: weakref.WeakValueDictionary[str, Journal] = weakref.WeakValueDictionary()


class Journal:
    """A journal opened for appending, with the events it held.

    Attributes:
        path: The file.
        header: The first line: `format`, `schema`, and what was given when it was made.
        events: Those read when it was opened.
        dropped: Bytes of a torn last line that were cut off when it was opened.

    Args:
        path: The file; made when it does not exist, its directory too.
        header: What a new journal's first line shall carry besides format and schema.
        take_over: When another object of this very process holds the journal, close that one
            (a notebook's cell that is run again) in place of refusing.

    Raises:
        JournalError: In use by another process, damaged, foreign, of a newer schema, or the file
            cannot be read or written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, take_over: bool = False) -> None:
        self.path = Path(path)
        self.events: list[dict[str, Any]] = []
        self.dropped = 0
        self._file = -1
        if take_over and (other := _open_here.get(_name(self.path))) is not None:
            other.close()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._lock()
            self.header = self._read() or self._begin(header)
        except OSError as error:
            self.close()
            raise JournalError(
                f"cannot open the journal {self.path}: {error.strerror}. "
                "Use a directory that can be written, on a disk with room"
            ) from error
        except BaseException:
            self.close()
            raise
        _open_here[_name(self.path)] = self

    @property
    def closed(self) -> bool:
        """Whether the file was given up."""
        return self._file < 0

    def append(self, event: Mapping[str, Any], *, durable: bool = False) -> None:
        """Add one event, whole or not at all.

        Args:
            event: A JSON object.
            durable: Wait until the disk has it.

        Raises:
            JournalError: Disk full, or another fault of the file system; the event is not in the
                journal.
        """
        if self._file < 0:
            raise JournalError(
                f"the journal {self.path} is closed (after a fault of the disk, or because this "
                "process has opened it again): open the search again"
            )
        line = json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            self._write(line, durable)
        except OSError as error:
            raise JournalError(
                f"cannot write the journal {self.path}: {error.strerror}. Everything before "
                "is kept; make room and run the same search again to continue"
            ) from error

    def close(self) -> None:
        """Give the file up; may be called twice."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(self.path.read_bytes())
            raise JournalError(
                f"{self.path.parent} is in use by {owner}: wait for it, end it, or use another "
                "directory"
            ) from None

    def _read(self) -> dict[str, Any] | None:
        """The header, after reading the events; None when there is nothing in the file yet."""
        data = self.path.read_bytes()
        header, self.events, end = parse(data, self.path)
        self.dropped = len(data) - end
        if self.dropped:
            os.ftruncate(self._file, end)
        return header

    def _begin(self, header: Mapping[str, Any]) -> dict[str, Any]:
        full = {"format": FORMAT, "schema": SCHEMA, **header}
        self._write(json.dumps(full, allow_nan=False).encode() + b"\n")
        return full

    def _write(self, line: bytes, durable: bool = False) -> None:
        end = os.fstat(self._file).st_size
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            if durable:
                os.fsync(self._file)
        except BaseException:
            try:
                os.ftruncate(self._file, end)
            except OSError:
                self.close()  # a later line must not follow a half-written one
            raise


def parse(data: bytes, path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]], int]:
    """What a journal's bytes say.

    Args:
        data: The file's content.
        path: Named in messages.

    Returns:
        The header (None when not even it is whole), the events, and the number of bytes up to the
        end of the last whole line.

    Raises:
        JournalError: Damaged, foreign, or of another schema.
    """
    lines = data.split(b"\n")
    tail = lines.pop()
    if not lines and (tail.startswith(_PREFIX) or _PREFIX.startswith(tail)):
        return None, [], 0
    header = _header(lines[0] if lines else tail, path)
    events = [_event(line, path, number) for number, line in enumerate(lines[1:], 2)]
    return header, events, len(data) - len(tail)


def _name(path: Path) -> str:
    return str(path.absolute())


def _header(line: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise JournalError(
            f"{path} is no journal of a search (its first line is {line[:60]!r}): "
            "use another directory, or move the file away"
        )
    if header.get("schema") != SCHEMA:
        raise JournalError(
            f"{path} has schema {header.get('schema')!r}, and this version reads {SCHEMA}: "
            "continue it with the version that wrote it, or use another directory"
        )
    return header


def _event(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
        if not isinstance(event, dict) or "event" not in event or "elapsed" not in event:
            raise ValueError
    except ValueError:
        raise damaged(path, number, line[:60]) from None
    return event


def damaged(path: Path, line: int, content: object) -> JournalError:
    """The error of a line, counted from 1, that no search has written."""
    return JournalError(
        f"{path}, line {line} is damaged ({content!r}): restore the file from a copy, or delete "
        "this line and those after it to continue from there"
    )


def _owner(data: bytes) -> str:
    """The process that opened the journal last, in words."""
    opened = [line for line in data.split(b"\n") if line.startswith(b'{"event":"open"')]
    try:
        event = json.loads(opened[-1])
        return f"process {event['pid']} on {event['host']}"
    except (IndexError, KeyError, ValueError):
        return "another process that is just opening it"
