"""Running trainings in worker processes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.progress import TextColumn, TimeElapsedColumn

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import read_json, write_json
from kerasnas.flow.task.scores import listed
from kerasnas.tuners.runners.base import Failed, Finished, Job, Progress
from kerasnas.tuners.runners.environment import available_cores
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings, WorkerSettings
from kerasnas.tuners.runners.ray import RayRunner, RaySettings


def runner(
    experiment: Experiment,
    cluster: str | None = None,
    most: int | None = None,
    resident: bool = False,
) -> LocalRunner | RayRunner:
    """Worker processes as the experiment says.

    Args:
        experiment: Number of workers and their threads and GPUs.
        cluster: `auto` or `HOST:PORT` of a Ray cluster; None for this machine.
        most: Number of jobs: no more workers are started.
        resident: Whether workers keep what costs too much to load again: they are not replaced,
            and there is one, unless the experiment asks for more.

    Raises:
        TunerError: Ray is not installed, or the cluster cannot be reached.
    """
    settings = experiment.search
    limits = WorkerSettings(
        trials_per_worker=sys.maxsize if resident else settings.trials_per_worker,
        recycle_above=sys.maxsize if resident else settings.recycle_above,
        memory_limit=settings.trial_bytes,
        start_limit=settings.start_limit,
    ).model_dump()
    if cluster is not None:
        return RayRunner(
            RaySettings(
                address=cluster,
                workers=settings.workers or (1 if resident else None),
                cpus=settings.threads or 1,
                gpus=settings.gpus,
                **limits,
            )
        )
    workers = settings.workers or (1 if resident else available_cores())
    workers = min(workers, most or workers)
    return LocalRunner(
        LocalSettings(
            workers=workers,
            threads=settings.threads,
            devices=settings.devices,
            **limits,
        )
    )


def run_finals(
    run: Path,
    experiment: Experiment,
    jobs: Mapping[str, tuple[Path, dict[str, Any]]],
    cache: Path,
    console: Console,
    cluster: str | None = None,
    epochs: int | None = None,
) -> None:
    """Run final trainings side by side.

    Args:
        run: The run directory.
        experiment: Number of workers, recipe.
        jobs: By name: the directory for the results, and values for `jobs.final`.
        cache: Directory for features.
        console: Where progress is shown.
        cluster: Of a Ray cluster; see `runner`.
        epochs: Of each training, if not those of the final recipe.

    Raises:
        KerasnasError: A training failed.
    """
    arguments = {"run": str(run.absolute()), "cache": str(cache)}
    waiting = [
        Job(name, "kerasnas.flow.workers.jobs:final", arguments, values, directory.absolute())
        for name, (directory, values) in jobs.items()
    ]
    run_jobs(experiment, waiting, epochs or experiment.training.final.epochs, console, cluster)


def run_jobs(
    experiment: Experiment,
    jobs: Sequence[Job],
    epochs: int,
    console: Console,
    cluster: str | None = None,
) -> None:
    """Run trainings side by side.

    Args:
        experiment: Number of workers.
        jobs: Each reports its epochs, and its result has metrics.
        epochs: Of each training.
        console: Where progress is shown.
        cluster: Of a Ray cluster; see `runner`.

    Raises:
        KerasnasError: A training failed.
    """
    waiting = list(jobs)
    columns = (*ProgressBar.get_default_columns()[:3], TimeElapsedColumn())
    bar = ProgressBar(
        *columns,
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )
    with bar, runner(experiment, cluster, len(waiting)) as workers:
        tasks = {job.id: bar.add_task(job.id, total=epochs, note="") for job in waiting}
        free = set(range(workers.slots))
        while waiting or len(free) < workers.slots:
            while waiting and free:
                workers.start(waiting.pop(0), free.pop())
            for event in workers.wait():
                match event:
                    case Progress():
                        workers.answer(event.slot, True)
                        bar.update(tasks[event.id], completed=event.step)
                    case Finished():
                        free.add(event.slot)
                        scores = listed(event.result["metrics"])
                        bar.update(tasks[event.id], completed=epochs, note=scores)
                        if not console.is_terminal:
                            console.print(f"{event.id}: {scores} ({event.seconds:.0f} s)")
                    case Failed():
                        raise KerasnasError(
                            f"training {event.id} failed: {event.message}\n{event.traceback}"
                        )


def train_missing(
    run: Path,
    experiment: Experiment,
    jobs: Mapping[str, tuple[Path, dict[str, Any]]],
    cache: Path,
    console: Console,
    cluster: str | None = None,
    epochs: int | None = None,
) -> None:
    """Run those final trainings that the run directory does not hold yet.

    Arguments and errors are those of `run_finals`; the values are kept as descriptions.
    """
    waiting = {name: job for name, job in jobs.items() if make_ready(*job)}
    if waiting:
        console.print(f"Training {', '.join(waiting)} ...", markup=False)
        run_finals(run, experiment, waiting, cache, console, cluster, epochs)


def make_ready(directory: Path, description: dict[str, Any]) -> bool:
    """Empty `directory` for a training and keep its description there.

    Returns:
        Whether there is something to train: False, and nothing is touched, where the directory
        holds what `description` says, trained and scored.
    """
    if (directory / "evaluation.json").exists() and (directory / "model.keras").exists():
        stored = read_json(directory / "architecture.json")
        names = description.keys() - {"cost"}  # predicted sizes may change with the converter
        if all(stored.get(name) == description[name] for name in names):
            return False
    shutil.rmtree(directory, ignore_errors=True)
    write_json(directory / "architecture.json", description)
    return True
