"""Files of an export on the disk: written whole or not at all, and held against their record."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import ExportError

RECORD = "export.json"
"""Name of the file, beside the exported ones, that says what they are."""

LABELS = "labels.txt"
"""Name of the list of classes, one a line, beside a file or inside one that takes waveforms."""


def file_name(format_: str) -> str:
    """Return the name of the exported file of a format."""
    return f"model_{format_}.tflite"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside `path` and rename it, making missing directories.

    File and directory are on the disk when this returns: after a power cut, `path` holds either
    what it held before or all of `content`.

    Raises:
        ExportError: The directory cannot be written to, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _make_directory(path.parent)
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
                os.fsync(file)
            finally:
                os.close(file)
            os.replace(beside, path)  # noqa: PTH105, every change of the disk goes through `os`
            _sync_directory(path.parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108
            raise
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}") from None


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, each on the disk before anything is in it."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    try:
        os.mkdir(directory)  # noqa: PTH102
    except FileExistsError:
        if not directory.is_dir():
            raise
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    """Put a directory's names on the disk, where the system opens directories."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
            raise
    finally:
        os.close(handle)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def verify(path: str | os.PathLike[str]) -> bool:
    """Check an exported file against the `export.json` beside it.

    Args:
        path: A `.tflite` file, or the fine-tuned `.keras` file of an export.

    Returns:
        Whether it is the recorded file; False where no `export.json` lies beside it, or one that
        has no file of this name: it comes from elsewhere, and there is nothing to hold it against.

    Raises:
        ExportError: It is not the file that was exported, or one of the two cannot be read.
    """
    path = Path(path)
    record = path.with_name(RECORD)
    try:
        report = json.loads(record.read_text(encoding="utf-8"))
        recorded = {entry["file"]: entry["sha256"] for entry in _entries(report)}
    except FileNotFoundError:
        return False
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ExportError(
            f"{record} cannot be read ({type(error).__name__}: {error}), so that {path.name} "
            "cannot be checked: export again"
        ) from None
    if path.name not in recorded:
        return False
    try:
        found = sha256(path.read_bytes())
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from None
    if found != recorded[path.name]:
        raise ExportError(
            f"{path} is not the file that was exported: {record} records the SHA-256 "
            f"{recorded[path.name]}, its bytes have {found}. It was changed or replaced, or an "
            "export was interrupted: export again, or move a file from elsewhere to a directory "
            f"without {RECORD}"
        )
    return True


def _entries(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return what a report says of each of its files."""
    for entry in report["files"].values():
        yield entry
        if entry["waveform"] is not None:
            yield entry["waveform"]
        if entry["micro"] is not None:
            yield entry["micro"]
            yield entry["micro"]["header"]
    if report["tuning"] is not None:
        yield report["tuning"]
