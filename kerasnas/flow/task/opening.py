"""Run directories of experiments: where a run lies, and whether it may be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasnas import experiment as experiments
from kerasnas.experiment import Experiment
from kerasnas.runs import directory as runs
from kerasnas.runs.directory import run_of
from kerasnas.runs.layout import EXPERIMENT

__all__ = ["open_run", "read_experiment", "run_of"]

# A search may be resumed with other values of these: they do not change what a candidate scores.
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
    "training.final",
    "export",
)


@contextmanager
def open_run(directory: Path, experiment: Experiment, overwrite: bool = False) -> Iterator[None]:
    """Make `directory` the run directory of `experiment`, or resume it; hold it meanwhile.

    Raises:
        KerasnasError: As from `kerasnas.runs.directory.open_run`.
    """
    with runs.open_run(directory, experiment.to_yaml(), _MAY_CHANGE, overwrite):
        yield


def read_experiment(directory: Path) -> Experiment:
    """Return the experiment of a run directory.

    Raises:
        KerasnasError: It is no run directory, or its experiment is damaged.
    """
    runs.read_settings(directory)
    return experiments.load(directory / EXPERIMENT)
