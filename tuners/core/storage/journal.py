"""An append-only journal of a search: JSON lines, one header and then events, linked by checksums.

Each line carries its number and a CRC-32C of its content that goes on from the line before, so a
byte or a line that was changed, lost, repeated, moved or added is noticed, and the first bad line
is named (`Chain`).

What is promised: a killed process loses nothing that was appended. A line that was being written
is cut off when the journal is opened again. A failed write is undone, so that nothing half-written
is ever read back. Completed trials are forced to disk (`fsync`), and so are a journal's beginning
and its directory before anything is appended. While it is open, a lock beside it keeps other
processes out (`lock`), which a killed process gives up by dying, and a forked child does not hold.
"""

from __future__ import annotations

import errno
import json
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock

from ..errors import JournalError
from .chain import FORMAT, SCHEMA, Chain, parse
from .lock import HeldError, describe_holder, hold

JOURNAL = "journal.jsonl"

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
        self._lock: FileLock | None = None
        self._last = 0, Chain()  # the file's size and chain, as this object has left them
        if take_over and (other := _open_here.get(_name(self.path))) is not None:
            other.close()
        try:
            made = _make_directory(self.path.parent)
            self._lock = lock(self.path)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self.header = self._read() or self._begin(header)
            os.fsync(self._file)
            for directory in made:
                sync_directory(directory)
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
    def lines(self) -> int:
        """How many lines it has, the header among them."""
        return self._last[1].number

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
            TypeError: The event is no JSON; so with ValueError. Nothing was appended.
            ValueError: It holds NaN or an infinity, or the name `n` or `crc`.
        """
        try:
            if self._file >= 0:
                self._check()
            if self._file < 0:
                raise JournalError(
                    f"the journal {self.path} is closed (after an interrupt or a fault of the "
                    "disk, or because this process has opened it again): open the search again"
                )
            self._write(event, durable)
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
        if self._lock is not None:
            held, self._lock = self._lock, None
            held.release()

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

    def _check(self) -> None:
        """Close the file where nothing can be appended to it any more.

        Raises:
            JournalError: It was deleted, moved or replaced, or this process is a forked child.
        """
        if self._lock is None or not self._lock.is_locked:
            self.close()
            raise JournalError(
                f"the journal {self.path} is closed in this process, which was forked from the one "
                "that opened it: open the search here, once it is closed there"
            )
        ours = os.fstat(self._file)
        try:
            kept = os.path.samestat(ours, os.stat(self.path))  # noqa: PTH116, `os` has the faults
        except FileNotFoundError:
            kept = False
        if not kept:
            self.close()
            raise JournalError(
                f"the journal {self.path} was deleted, moved or replaced while its search ran: "
                "put it back and run the same search again to continue, or run it again to begin "
                "anew"
            )
        if ours.st_size != self._last[0]:
            self.close()  # an interrupt fell between a line and the note of it

    def _read(self) -> dict[str, Any] | None:
        """Return the header, after reading the events; None when the file holds nothing yet."""
        data = self.path.read_bytes()
        found = parse(data, self.path)
        self.events, self._last = found.events, (found.end, found.chain)
        self.dropped = len(data) - found.end
        if self.dropped:
            os.ftruncate(self._file, found.end)
        return found.header

    def _begin(self, header: Mapping[str, Any]) -> dict[str, Any]:
        full = {"format": FORMAT, "schema": SCHEMA, **header}
        self._write(full, durable=False)
        return full

    def _write(self, fields: Mapping[str, Any], durable: bool) -> None:
        end, chain = self._last
        line, chain = chain.seal(fields)
        view = memoryview(line + b"\n")
        last = end + len(view), chain
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
        self._last = last


def lock(path: Path) -> FileLock:
    """Lock a journal for this process.

    Raises:
        JournalError: Another has it.
        OSError: As from the file system.
    """
    try:
        return hold(path.with_name(f".{path.name}.lock"))
    except HeldError:
        raise JournalError(
            f"{path.parent} is in use by {_owner(path)}: wait for it, end it, or use another "
            "directory"
        ) from None


def _make_directory(path: Path) -> list[Path]:
    """Make a directory that may exist; return those whose entries must reach the disk."""
    touched = [path]
    while not touched[-1].exists():
        touched.append(touched[-1].parent)
    path.mkdir(parents=True, exist_ok=True)
    return touched


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in a directory."""
    if os.name == "nt":
        return  # Windows opens no directories
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync files only
            raise
    finally:
        os.close(directory)


def _name(path: Path) -> str:
    return str(path.absolute())


def _owner(path: Path) -> str:
    """Return the process that opened the journal last, in words."""
    try:
        data = path.read_bytes()
        opened = [line for line in data.split(b"\n") if b'"event":"open"' in line]
        event = json.loads(opened[-1])
        return describe_holder(int(event["pid"]), str(event["host"]))
    except (OSError, LookupError, ValueError, TypeError):
        return "another process that is just opening it"
