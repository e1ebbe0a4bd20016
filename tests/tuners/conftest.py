import errno
import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "oracles"))  # for oracle_kinds, which tests share


class FaultyDisk:
    """`os` with a fault before or after operation `at`.

    Kinds: `error`, one failed operation; `broken`, this one and all later ones; `killed`, after
    which the process does nothing at all but lose its open files.
    """

    class Killed(BaseException):
        """The process is no more."""

    OPERATIONS = ("open", "write", "fsync", "ftruncate")

    def __init__(self, kind, moment, at):
        self.kind, self.moment, self.at, self.count, self.hit = kind, moment, at, 0, False

    def __getattr__(self, name):
        real = getattr(os, name)
        return self.operation(real) if name in self.OPERATIONS else real

    def operation(self, real):
        def call(*arguments):
            if self.hit and self.kind == "killed":
                raise self.Killed
            now = self.count == self.at or (self.hit and self.kind == "broken")
            self.count += 1
            self.hit |= now
            result = None if now and self.moment == "before" else real(*arguments)
            if now:
                if real is os.open and result is not None:
                    os.close(result)
                raise self.Killed if self.kind == "killed" else OSError(errno.EIO, "fault")
            return result

        return call


@pytest.fixture
def faulty_disk():
    """`FaultyDisk`, to be put in place of a module's `os`."""
    return FaultyDisk


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What is tested is a killed process, not lost power."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
