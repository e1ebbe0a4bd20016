"""Records of a run, as the sections of its report need them: there, or with what to say instead."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from kerasnas.errors import KerasnasError
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.record import Record
from kerasnas.runs.records import Winner, Winners
from kerasnas.runs.run import Run

_Record = TypeVar("_Record", bound=Record)


class MissingError(Exception):
    """A part that the run does not hold, or holds damaged; the message is what the page says."""


def required(run: Run, kind: type[_Record], path: Path, absence: str) -> _Record:
    """Return a record of the run.

    Args:
        run: The run.
        kind: Of the record.
        path: Its file.
        absence: What to say where there is no such file.

    Raises:
        MissingError: There is none, or it is empty or damaged.
    """
    if not path.is_file():
        raise MissingError(absence)
    try:
        return kind.read(path)
    except KerasnasError as error:
        raise MissingError(within(run, str(error))) from None


def optional(run: Run, kind: type[_Record], path: Path) -> _Record | None:
    """Return a record of the run; None where there is no such file.

    Raises:
        MissingError: The file is empty or damaged.
    """
    return required(run, kind, path, "") if path.is_file() else None


def within(run: Run, message: str) -> str:
    """Return a message that names files by their places in the run, which may be moved."""
    return message.replace(f"{run.paths.path}/", "")


def winners(run: Run) -> tuple[Winner, ...]:
    """Return the trials that were trained again, the chosen one first.

    Raises:
        MissingError: The search has not come so far, or `winners.json` is damaged.
    """
    absence = "No winner has been trained yet."
    return required(run, Winners, run.paths.winners, absence).trained()


def chosen(run: Run) -> Winner:
    """Return the winner that is exported; errors as of `winners`."""
    return winners(run)[0]


def training_of(run: Run, winner: Winner) -> TrainingPaths:
    """Return the files of a winner's final training."""
    return TrainingPaths(run.paths.path / winner.directory)


def place(run: Run, path: Path) -> str:
    """Return where a file lies in the run."""
    return path.relative_to(run.paths.path).as_posix()
