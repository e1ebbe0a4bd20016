"""Run directories of experiments: where a run lies, and whether it may be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasnas import experiment as experiments
from kerasnas.errors import counted
from kerasnas.experiment import Experiment
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.runs import directory as runs
from kerasnas.runs.directory import run_of
from kerasnas.runs.layout import EXPERIMENT, RunPaths

__all__ = ["open_run", "read_experiment", "run_of"]

# A search may be resumed with other values of these: they do not change what a candidate scores.
_MAY_CHANGE = (
    "data.root",
    "data.streams",
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
    "report",
)


@contextmanager
def open_run(directory: Path, experiment: Experiment, overwrite: bool = False) -> Iterator[None]:
    """Make `directory` the run directory of `experiment`, or resume it; hold it meanwhile.

    Raises:
        KerasnasError: As from `kerasnas.runs.directory.open_run`.
    """
    with runs.open_run(directory, experiment.to_yaml(), _MAY_CHANGE, overwrite):
        yield


def fit_oracle(
    experiment: Experiment, directory: Path, overwrite: bool = False
) -> tuple[Experiment, str | None]:
    """Return an experiment whose oracle uses what it sees within the number of trials.

    Args:
        experiment: Of a search.
        directory: The run directory: a search that has begun there keeps its oracle.
        overwrite: Whether what the directory holds is going to be deleted.

    Returns:
        The experiment, and what to say where the oracle's settings were changed or where they make
        it random search; None elsewhere.
    """
    search = experiment.search
    trials, known = search.trials, search.oracle
    number = counted(trials, "trial")
    if not overwrite and RunPaths(directory).journal.exists():
        stored = read_experiment(directory).search
        if stored.oracle == known.fitted(stored.trials):
            trials = stored.trials  # as it was fitted then
    oracle = known.fitted(trials)
    if oracle == known:
        if not known.is_random(trials):
            return experiment, None
        return experiment, (
            f"oracle: {known.name} is random search in {number}: raise search.trials, or "
            "change the oracle's settings"
        )
    changed = search.model_copy(update={"oracle": oracle})
    names = [name for name, value in oracle if value != getattr(known, name)]
    settings = ", ".join(f"{name} {getattr(oracle, name)}" for name in names)
    return experiment.model_copy(update={"search": changed}), (
        f"oracle: {known.name} as it is by default is random search in {number}; "
        f"taken instead: {settings}"
    )


def fit_recipes(experiment: Experiment) -> tuple[Experiment, str | None]:
    """Return an experiment that tries recipes only where most candidates are trained by one.

    Returns:
        The experiment, and what to say where it tries none after all; None elsewhere.
    """
    search = experiment.search
    if not search.tried_recipes or not isinstance(experiment.model, PretrainedSettings):
        return experiment, None
    changed = search.model_copy(update={"recipes": "off"})
    return experiment.model_copy(update={"search": changed}), (
        "recipes: none is tried, since candidates with a frozen trunk are not trained by one"
    )


def read_experiment(directory: Path) -> Experiment:
    """Return the experiment of a run directory.

    Raises:
        KerasnasError: It is no run directory, or its experiment is damaged.
    """
    runs.read_settings(directory)
    return experiments.load(directory / EXPERIMENT)
