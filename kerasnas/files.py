"""Files that are never seen half-written, and are on the disk before they have their name.

Whatever kerasnas keeps is written, renamed and forced to the disk here, through this module's `os`:
a test puts a disk in its place that fails, or a machine that loses power, at any of these calls.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock

from kerasnas.errors import DamagedError, KerasnasError

_MIDDLE = 4096  # bytes
_SOMETHING = 128  # bytes that are not zero: headers of silent recordings have fewer
_BLOCK = 1 << 20
_LETTERS = 8  # at random, behind the name of a file that is being written


def write_atomically(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Write `content` beside `path` and rename, making missing directories.

    Args:
        path: The file.
        content: All of it; text is written as UTF-8.
        durable: Whether file and directory are forced to the disk (`fsync`), so that a power
            failure leaves the old content or the new one. False suits files that are written often
            and can be made anew.

    Raises:
        KerasnasError: The directory cannot be written to, or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{secrets.token_hex(_LETTERS // 2)}")
    try:
        make_directory(path.parent, durable)
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(file, view) :]
            finally:
                os.close(file)
            publish(beside, path, durable)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108, every change of the disk goes through `os` here
            raise
    except OSError as error:
        raise KerasnasError(f"{path} cannot be written: {error.strerror}") from None


def remove_unfinished(directory: Path) -> None:
    """Delete what killed processes have left half-written in a directory, at any depth.

    Nobody else may write there meanwhile.
    """
    for path in directory.rglob(f".*.{'[0-9a-f]' * _LETTERS}"):
        if path.is_file():
            path.unlink(missing_ok=True)


def publish(finished: Path, path: Path, durable: bool = True) -> None:
    """Give a finished file or directory the name that others look for.

    Args:
        finished: A whole file in the directory of `path`, which something else has written, and
            which replaces what has the name; or a directory of files, which replaces nothing.
        path: Its name from now on.
        durable: As of `write_atomically`.

    Raises:
        OSError: As from the file system.
    """
    if durable:
        for each in [*finished.rglob("*"), finished] if finished.is_dir() else [finished]:
            _sync(each)
    os.replace(finished, path)  # noqa: PTH105
    if durable:
        _sync(path.parent)


def make_directory(directory: Path, durable: bool = True) -> None:
    """Make a directory, and those above it, where they do not exist yet.

    Args:
        directory: Its path.
        durable: Whether each is on the disk before anything is in it.

    Raises:
        OSError: As from the file system.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent, durable)
    try:
        os.mkdir(directory)  # noqa: PTH102
    except FileExistsError:
        if not directory.is_dir():
            raise
    if durable:
        _sync(directory.parent)


def write_json(path: Path, data: Any, durable: bool = True) -> None:
    """Write `data` as indented JSON; NaN is not JSON and is refused."""
    write_atomically(path, json.dumps(data, indent=1, allow_nan=False) + "\n", durable)


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote.

    Raises:
        KerasnasError: The file is missing.
        DamagedError: It is empty or not JSON.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise KerasnasError(f"{path} does not exist") from None
    except OSError as error:
        raise KerasnasError(f"{path} cannot be read: {error.strerror}") from None
    return parse_json(content, path)


def parse_json(content: bytes, path: Path) -> Any:
    """Return what the content of a file says.

    Args:
        content: Of the file.
        path: The file, for messages.

    Raises:
        DamagedError: It is empty or not JSON.
    """
    again = "delete it and run the command that made it again"
    if not content.strip():
        raise DamagedError(f"{path} is empty", again)
    try:
        return json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DamagedError(
            f"{path} cannot be read, since it is not JSON ({error})",
            f"restore it from a copy, or {again}",
        ) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a directory's names."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no directories
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
            raise
    finally:
        os.close(descriptor)


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """Wait until no other process holds `path`, and hold it; one that dies gives its turn up.

    Nobody waits where the lock cannot be made, such as on a file system without locks: what is
    done in turns is done twice there, and to no harm.

    Args:
        path: A file for the lock, made with missing directories; it stays.
    """
    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copies(paths: Sequence[Path]) -> dict[int, int]:
    """Return which files hold the same bytes as one before them: its index, by their own.

    Files of few bytes that are not zero hold nothing that could be copied: silence is all alike.
    """
    found: dict[int, int] = {}
    by_size: dict[int, list[int]] = {}
    for index, path in enumerate(paths):
        by_size.setdefault(path.stat().st_size, []).append(index)
    by_middle: dict[tuple[int, bytes], list[int]] = {}
    for size, indices in by_size.items():
        for index in indices if len(indices) > 1 else ():
            with paths[index].open("rb") as file:  # most files of one size differ already here
                file.seek(size // 2)
                by_middle.setdefault((size, file.read(_MIDDLE)), []).append(index)
    for indices in by_middle.values():
        first: dict[str, int] = {}
        for index in indices if len(indices) > 1 else ():
            if _holds_something(paths[index]):
                known = first.setdefault(digest(paths[index]), index)
                if known != index:
                    found[index] = known
    return found


def _holds_something(path: Path) -> bool:
    heard = 0
    with path.open("rb") as file:
        while heard < _SOMETHING and (block := file.read(_BLOCK)):
            heard += len(block) - block.count(0)
    return heard >= _SOMETHING
