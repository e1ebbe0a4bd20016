"""A damaged journal, cut before its first bad line."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .errors import JournalError, SearchError
from .history import History
from .identity import objectives_in
from .storage.chain import scan
from .storage.journal import JOURNAL, lock, sync_directory


class Repair(NamedTuple):
    """What became of a damaged journal.

    Attributes:
        kept: Lines before the first bad one, the header among them.
        dropped: Lines from the first bad one on.
        fault: What is wrong with that one; None when the journal is sound.
        damaged: Where the journal now is as it was found; None when it is sound.
    """

    kept: int
    dropped: int
    fault: str | None
    damaged: Path | None

    def __str__(self) -> str:
        if self.fault is None:
            return f"all {self.kept} lines are sound; nothing was changed"
        return (
            f"kept {self.kept} lines and dropped {self.dropped}, from line {self.kept + 1} on; "
            f"{self.fault}. The damaged journal is kept as {self.damaged}"
        )


def repair(path: Path | str) -> Repair:
    """Cut a damaged journal before its first bad line, and keep a copy of it as it was.

    The copy lies beside it, as `journal.jsonl.damaged`, or `.damaged2` and so on. A sound journal
    is left alone.

    Args:
        path: The journal, `journal.jsonl`, or the directory that it is in.

    Raises:
        JournalError: There is none, it is in use, foreign or of another schema; its header is
            damaged, so that nothing can be kept; or the disk does not take the copy.
    """
    path = Path(path)
    path = path / JOURNAL if path.is_dir() else path
    file, held = -1, None
    try:
        file = os.open(path, os.O_RDWR)
        held = lock(path)
        data = path.read_bytes()
        kept, fault = _sound(data, path)
        if fault is None:
            return Repair(kept, 0, None, None)
        copy = _copied(data, path)
        lines = data.removesuffix(b"\n").split(b"\n")
        os.ftruncate(file, sum(len(line) + 1 for line in lines[:kept]))
        os.fsync(file)
    except OSError as error:
        raise JournalError(f"cannot repair the journal {path}: {error.strerror}") from error
    finally:
        if file >= 0:
            os.close(file)
        if held is not None:
            held.release()
    return Repair(kept, len(lines) - kept, fault, copy)


def _sound(data: bytes, path: Path) -> tuple[int, str | None]:
    """Return how many lines are sound, and what is wrong with the next one, if anything is."""
    found = scan(data, path)
    if found.header is not None:
        history = History(objectives_in(found.header, path))
        for kept, event in enumerate(found.events, 1):
            try:
                history.apply(event)
            except SearchError as error:
                return kept, str(error)
    return found.chain.number, found.fault


def _copied(data: bytes, path: Path) -> Path:
    """Return a new file beside `path` with `data`, on the disk."""
    number = 1
    while True:
        copy = path.with_name(f"{path.name}.damaged{number if number > 1 else ''}")
        try:
            file = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            number += 1
            continue
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(file, view) :]
                os.fsync(file)
            finally:
                os.close(file)
            sync_directory(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(copy)  # noqa: PTH108, every change of the disk goes through `os`
            raise
        return copy
