"""A disk that fails, and a machine that dies, at any call that changes what is kept.

`Disk` stands in for `os` in the modules that write (`PLACES`). It counts what they do, and at the
n-th operation fails it, or lets the process die before it, after it, or in the midst of a write.
After a death it does nothing any more. What was not forced to the disk can then be lost
(`lose_power`): contents since the last `fsync` of their file, names since that of their directory.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

PLACES = (
    "kerasnas.files",
    "kerasnas.tuners.core.storage.journal",
    "kerasnas.tuners.core.repair",
    "kerasnas.export.files",
)
OPERATIONS = ("open", "write", "fsync", "ftruncate", "replace", "unlink", "mkdir")

Fault = Literal["fails", "dies before", "dies within", "dies after"]
FAULTS: tuple[Fault, ...] = ("fails", "dies before", "dies within", "dies after")
Loss = Literal["nothing", "data", "data and names"]
LOSSES: tuple[Loss, ...] = ("nothing", "data", "data and names")
"""What a death takes with it; a process that is killed takes nothing."""


class Died(BaseException):
    """The process is no more."""


class Disk:
    """`os`, with a fault.

    Args:
        root: The directory in which all happens; what it holds is on the disk.
        fault: What happens at operation `at`, counted from 0.
        at: Which; a number that is never reached lets all go well.
    """

    def __init__(self, root: Path, fault: Fault, at: int) -> None:
        self.root, self.fault, self.at = root, fault, at
        self.count = 0
        self.hit = False
        self._contents: dict[tuple[int, int], bytes] = {}
        self._names: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}
        self._held: list[int] = []  # so that no number of a file is given to another
        for path in [root, *root.rglob("*")]:
            file = os.open(path, os.O_RDONLY)
            self._force(file)
            os.close(file)

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._operation(name, real) if name in OPERATIONS else real

    def let_go(self) -> None:
        """Give up what is held."""
        for file in self._held:
            os.close(file)
        self._held.clear()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the modules that write use this disk."""
        with pytest.MonkeyPatch.context() as patch:
            for place in PLACES:
                patch.setattr(f"{place}.os", self)
            try:
                yield
            finally:
                self.let_go()

    def lose_power(self, loss: Loss) -> None:
        """Leave what survives: all, all names with what was forced of their data, or only that."""
        if loss == "nothing":
            return
        forced_names = loss == "data and names"
        kept: dict[Path, bytes | None] = {}
        self._survivors(self.root, Path(), forced_names, kept)
        shutil.rmtree(self.root)
        self.root.mkdir()
        for path, content in kept.items():
            if content is None:
                (self.root / path).mkdir()
            else:
                (self.root / path).write_bytes(content)

    def _survivors(
        self, directory: Path, place: Path, forced: bool, kept: dict[Path, bytes | None]
    ) -> None:
        if forced:
            names = self._names.get(_number(directory.stat()), {})
            self._of_names(names, place, kept)
            return
        for path in sorted(directory.iterdir()):
            number = _number(path.stat())
            if path.is_dir():
                kept[place / path.name] = None
                self._survivors(path, place / path.name, forced, kept)
            else:
                kept[place / path.name] = self._contents.get(number, b"")

    def _of_names(
        self, names: dict[str, tuple[int, int]], place: Path, kept: dict[Path, bytes | None]
    ) -> None:
        for name, number in names.items():
            if number in self._directories:
                kept[place / name] = None
                self._of_names(self._names.get(number, {}), place / name, kept)
            else:
                kept[place / name] = self._contents.get(number, b"")

    @property
    def _directories(self) -> set[tuple[int, int]]:
        found = {_number(path.stat()) for path in self.root.rglob("*") if path.is_dir()}
        return found | self._names.keys()

    def _force(self, file: int) -> None:
        """Note what the disk has of a file or directory from now on."""
        status = os.fstat(file)
        number = _number(status)
        if number not in self._contents and number not in self._names:
            self._held.append(os.dup(file))
        path = Path(f"/proc/self/fd/{file}").readlink()
        if path.is_dir():
            self._names[number] = {each.name: _number(each.stat()) for each in path.iterdir()}
        else:
            self._contents[number] = path.read_bytes()

    def _operation(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.hit and self.fault != "fails":
                raise Died
            now = self.count == self.at
            self.count += 1
            self.hit |= now
            if now and self.fault == "fails":
                raise OSError(errno.EIO, "fault")
            if now and self.fault == "dies before":
                raise Died
            if now and self.fault == "dies within":
                if name == "write":
                    file, data = arguments
                    real(file, bytes(data)[: len(data) // 2])
                raise Died
            result = self._force(*arguments) if name == "fsync" else real(*arguments)
            if now:
                if name == "open":
                    os.close(result)
                raise Died
            return result

        return call


def _number(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
