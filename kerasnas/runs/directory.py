"""The directory of a run: what belongs to it, and whether a command may go on in it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kerasnas.errors import DamagedError, KerasnasError
from kerasnas.files import make_directory, remove_unfinished, write_atomically
from kerasnas.runs.layout import BASELINES, EXPERIMENT, LOCK, RunPaths
from kerasnas.tuners.core.storage.lock import HeldError, describe_holder, hold
from kerasnas.yaml_text import read_yaml


@contextmanager
def open_run(
    directory: Path, experiment: str, may_change: Sequence[str] = (), overwrite: bool = False
) -> Iterator[None]:
    """Make `directory` the run directory of an experiment, or resume it; hold it meanwhile.

    Args:
        directory: The run directory.
        experiment: YAML of all settings, with every default filled in.
        may_change: Settings and sections of them, by dotted name, with other values of which the
            run may be resumed.
        overwrite: Whether to delete what the directory holds of an earlier run.

    Raises:
        KerasnasError: The directory cannot be written to, another process works in it, it holds
            other files, or it belongs to another experiment and `overwrite` is not given.
        DamagedError: The journal of a search that has begun there is empty or missing.
    """
    made = not directory.exists()
    _check_writable(directory)
    if _is_begun(directory) and not (directory / EXPERIMENT).exists():
        raise KerasnasError(
            f"{directory} holds files and no {EXPERIMENT}, so it is no run directory: "
            "give another --run"
        )
    with _locked(directory):
        if overwrite and not made:
            for path in directory.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != LOCK:
                    path.unlink()
        if _is_begun(directory) and (directory / EXPERIMENT).exists():
            theirs, _ = read_settings(directory)
            differences = sorted(
                _differences(read_yaml(experiment, directory / EXPERIMENT)[0], theirs, may_change)
            )
            if differences:
                raise KerasnasError(
                    f"{directory} holds the run of another experiment; it differs in "
                    f"{'; '.join(differences)}. Give another --run, or --overwrite to delete it"
                )
        write_atomically(directory / EXPERIMENT, experiment)
        remove_unfinished(directory)
        _require_journal(RunPaths(directory))
        yield


def _require_journal(paths: RunPaths) -> None:
    """See that a run which holds something of its trials holds their journal, too.

    A search writes the journal first, and would begin again without it.
    """
    of_trials = (paths.search, paths.table, paths.trials, paths.winners)
    left = next((path for path in of_trials if path.exists()), None)
    if left is None or (paths.journal.exists() and b"\n" in paths.journal.read_bytes()):
        return
    fault = "holds no whole line" if paths.journal.exists() else "is missing"
    raise DamagedError(
        f"{paths.journal} {fault}, and {left} tells of trials that were in it",
        "restore it from a copy, or give --overwrite to delete the run and search again",
    )


def read_settings(directory: Path) -> tuple[Mapping[str, Any], str]:
    """Return the settings of a run's experiment, and their text.

    Raises:
        KerasnasError: It is no run directory, or the text is damaged.
    """
    path = directory / EXPERIMENT
    try:
        text = path.read_text(encoding="utf-8")
        settings, _ = read_yaml(text, path)
    except FileNotFoundError:
        raise KerasnasError(f"{directory} is no run directory: it has no {EXPERIMENT}") from None
    except (OSError, UnicodeDecodeError, KerasnasError) as error:
        raise KerasnasError(f"{path} cannot be read: {error}") from None
    if not isinstance(settings, dict):
        raise KerasnasError(
            f"{path} holds no fields, so it is no experiment: restore it from a copy"
        )
    return settings, text


def is_run(directory: Path) -> bool:
    """Whether a directory is that of a run."""
    return (directory / EXPERIMENT).is_file()


def run_of(path: Path) -> Path:
    """Return the run directory that a file lies in.

    Raises:
        KerasnasError: It lies in none, or does not exist.
    """
    if not path.exists():
        raise KerasnasError(f"{path} does not exist: give a run directory or a model file")
    for directory in path.absolute().parents:
        if is_run(directory):
            return directory
    raise KerasnasError(f"{path} lies in no run directory: give --experiment")


def _is_begun(directory: Path) -> bool:
    """Whether there is anything to lose.

    A search that found its data wrong leaves its experiment, which may then be corrected, and
    baselines, which take seconds and say what they were made from. Hidden files are the lock, and
    what a killed process has left half-written.
    """
    known = (EXPERIMENT, BASELINES)
    return any(
        path.name not in known and not path.name.startswith(".") for path in directory.iterdir()
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which a killed process gives up by dying."""
    path = directory / LOCK
    try:
        lock = hold(path)
    except HeldError:
        raise KerasnasError(
            f"{directory} is in use by {_holder(path)}: wait for it, stop it, or give another --run"
        ) from None
    except OSError as error:
        raise KerasnasError(
            f"{directory} cannot be locked ({error.strerror}): give another --run, on a disk of "
            "this machine"
        ) from None
    try:
        try:
            with suppress(PermissionError):  # of Windows, where nobody else could read it
                path.write_text(f"{os.getpid()} {socket.gethostname()}\n", encoding="utf-8")
            held = path.stat()
        except OSError as error:
            raise KerasnasError(f"{directory} cannot be written to: {error.strerror}") from None
        try:
            yield
        except Exception as error:
            require_kept(directory, held, error)
            raise
        require_kept(directory, held)
    finally:
        lock.release()


def require_kept(
    directory: Path, held: os.stat_result | None = None, cause: Exception | None = None
) -> None:
    """See that a run directory which this process holds is still there.

    Args:
        directory: The run directory.
        held: Of the lock, when it was taken.
        cause: What went wrong meanwhile.

    Raises:
        KerasnasError: Somebody has deleted, moved or replaced it.
    """
    lock = directory / LOCK
    try:
        found = lock.stat()
    except OSError:
        found = None
    if found is None or (held is not None and not os.path.samestat(found, held)):
        raise KerasnasError(
            f"{directory} was deleted, moved or replaced while this command worked in it: put it "
            "back and run the same command again to resume, or run it again to begin anew"
        ) from cause


def _holder(lock: Path) -> str:
    """Return the process that has locked a run directory, in words."""
    try:
        pid, host = lock.read_text(encoding="utf-8").split()
        return describe_holder(int(pid), host)
    except (OSError, ValueError):
        return "another process"


def _check_writable(directory: Path) -> None:
    try:
        make_directory(directory)
    except OSError as error:
        raise KerasnasError(
            f"the run directory {directory} cannot be made: {error.strerror}; give another --run"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise KerasnasError(f"the run directory {directory} is read-only: give another --run")
    for path in directory.iterdir():  # before hours of training end there
        if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            raise KerasnasError(f"{path} is read-only: make it writable, or give another --run")


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], may_change: Sequence[str]
) -> Iterator[str]:
    a, b = dict(_flat(ours)), dict(_flat(theirs))
    for name in a.keys() | b.keys():
        if a.get(name) != b.get(name) and not _is_among(name, may_change):
            yield f"{name} ({b.get(name)} there, {a.get(name)} here)"


def _is_among(name: str, settings: Sequence[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in settings)


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
