"""The directory of a run: what belongs to it, and whether a command may go on in it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasnas import experiment as experiments
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import write_atomically

EXPERIMENT = "experiment.yaml"
_LOCK = ".lock"

# A search may go on with other values of these: they do not change what a candidate scores.
_MAY_CHANGE = (
    "data.root",
    "search.trials",
    "search.choose",
    "search.winners",
    "search.supernet.agreement",
    "search.supernet.save_every",
    "search.supernet.batch_size",
    "search.workers",
    "search.spread_folds",
    "search.threads",
    "search.gpus",
    "search.devices",
    "search.enqueue",
    "search.trial_bytes",
    "search.trials_per_worker",
    "search.recycle_above",
    "search.start_limit",
    "search.hours",
    "search.trial_seconds",
    "search.retries",
    "search.consecutive_failures",
    "search.keep_models",
    "training.final.",
    "export.",
)


@contextmanager
def open_run(directory: Path, experiment: Experiment, overwrite: bool = False) -> Iterator[None]:
    """Make `directory` the run directory of `experiment`, or go on in it; hold it meanwhile.

    Raises:
        KerasnasError: It cannot be written to, another process works in it, it holds other files,
            or it belongs to another experiment and `overwrite` is not given.
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
                elif path.name != _LOCK:
                    path.unlink()
        if _is_begun(directory) and (directory / EXPERIMENT).exists():
            differences = sorted(_differences(experiment, read_experiment(directory)))
            if differences:
                raise KerasnasError(
                    f"{directory} holds the run of another experiment; it differs in "
                    f"{'; '.join(differences)}. Give another --run, or --overwrite to delete it"
                )
        write_atomically(directory / EXPERIMENT, experiment.to_yaml())
        yield


def _is_begun(directory: Path) -> bool:
    """Whether there is anything to lose.

    A search that found its data wrong leaves its experiment alone, which may then be corrected.
    """
    return any(path.name not in (_LOCK, EXPERIMENT) for path in directory.iterdir())


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which a killed process gives up by dying."""
    with (directory / _LOCK).open("ab+", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().decode().strip() or "of another machine"
            raise KerasnasError(
                f"{directory} is in use by process {owner}: wait for it, stop it, or give "
                "another --run"
            ) from None
        try:
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
        except OSError as error:
            raise KerasnasError(f"{directory} cannot be written to: {error.strerror}") from None
        yield


def read_experiment(directory: Path) -> Experiment:
    """The experiment of a run directory.

    Raises:
        KerasnasError: It is no run directory.
    """
    if not (directory / EXPERIMENT).is_file():
        raise KerasnasError(f"{directory} is no run directory: it has no {EXPERIMENT}")
    return experiments.load(directory / EXPERIMENT)


def run_of(path: Path) -> Path:
    """The run directory that a file lies in.

    Raises:
        KerasnasError: It lies in none, or does not exist.
    """
    if not path.exists():
        raise KerasnasError(f"{path} does not exist: give a run directory or a model file")
    for directory in path.absolute().parents:
        if (directory / EXPERIMENT).is_file():
            return directory
    raise KerasnasError(f"{path} lies in no run directory: give --experiment")


def _check_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KerasnasError(
            f"the run directory {directory} cannot be made: {error.strerror}; give another --run"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise KerasnasError(f"the run directory {directory} is read-only: give another --run")
    for path in directory.iterdir():  # before hours of training end there
        if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            raise KerasnasError(f"{path} is read-only: make it writable, or give another --run")


def _differences(ours: Experiment, theirs: Experiment) -> Iterator[str]:
    a, b = dict(_flat(ours.model_dump(mode="json"))), dict(_flat(theirs.model_dump(mode="json")))
    for name in a.keys() | b.keys():
        if a.get(name) != b.get(name) and not name.startswith(_MAY_CHANGE):
            yield f"{name} ({b.get(name)} there, {a.get(name)} here)"


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
