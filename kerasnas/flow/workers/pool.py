"""Running trainings in worker processes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from kerasnas.errors import KerasnasError
from kerasnas.flow.task.scores import format_metrics
from kerasnas.flow.task.session import Session
from kerasnas.flow.workers.boards import Boards
from kerasnas.flow.workers.display import epoch_in_words
from kerasnas.flow.workers.threads import fix_threads
from kerasnas.runs.directory import require_kept
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.records import Description, Evaluation
from kerasnas.tuners.runners.base import Failed, Finished, Job, Progress, Started
from kerasnas.tuners.runners.environment import available_cores
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings, WorkerSettings
from kerasnas.tuners.runners.ray import RayRunner, RaySettings

_BAR = 20  # columns: a line of a training fits a terminal of 80

FinalTraining = tuple[TrainingPaths, Description]
"""A final training: its files, and its description, which `jobs.final` takes as values."""


def open_workers(
    session: Session,
    group: str,
    *,
    planned: int | None = None,
    left: int | None = None,
    resident: bool = False,
    brief: bool = False,
) -> LocalRunner | RayRunner:
    """Return worker processes as the experiment says.

    How many threads each computes with is decided when the first of a group of trainings starts;
    see `threads.fix_threads`. All else may change from one start to the next.

    Args:
        session: Run directory, settings and cluster.
        group: Name of the trainings.
        planned: Trainings in the whole group, done or not, if it is known from the beginning: fewer
            trainings get more threads each.
        left: Trainings to do now: no more workers are started.
        resident: Whether workers keep what costs too much to load again: they are not replaced,
            and there is one, unless the experiment asks for more.
        brief: Whether trainings take moments, and keep for the next ones what takes longer to make:
            workers are not replaced.

    Raises:
        KerasnasError: The experiment asks for another number of threads than the group has.
        TunerError: Ray is not installed, or the cluster cannot be reached.
    """
    settings, cores = session.experiment.search, available_cores()
    limits = WorkerSettings(
        trials_per_worker=sys.maxsize if resident or brief else settings.trials_per_worker,
        recycle_above=sys.maxsize if resident or brief else settings.recycle_above,
        memory_limit=settings.trial_bytes,
        start_limit=settings.start_limit,
    ).model_dump()
    side_by_side = settings.workers or (1 if resident else cores)
    side_by_side = min(side_by_side, planned or side_by_side)
    default = max(1, cores // side_by_side) if session.cluster is None else 1
    threads = fix_threads(session.run, group, settings.threads, default)
    if session.cluster is not None:
        return RayRunner(
            RaySettings(
                address=session.cluster,
                workers=settings.workers or (1 if resident else None),
                cpus=threads,
                gpus=settings.gpus,
                **limits,
            )
        )
    workers = settings.workers or (1 if resident else max(1, cores // threads))
    return LocalRunner(
        LocalSettings(
            workers=min(workers, left or workers),
            threads=threads,
            devices=settings.devices,
            **limits,
        )
    )


def run_finals(
    session: Session,
    group: str,
    jobs: Mapping[str, FinalTraining],
    *,
    planned: int | None = None,
    epochs: int | None = None,
    tolerant: bool = False,
) -> dict[str, float]:
    """Run final trainings side by side.

    Args:
        session: Run directory, settings, cluster and console.
        group: Name of the trainings; see `open_workers`, as for the next one.
        jobs: By name.
        planned: Trainings in the whole group; by default these ones.
        epochs: Of each training, if not those of the final recipe.
        tolerant: See `run_jobs`.

    Returns:
        Seconds that each took, by name.

    Raises:
        KerasnasError: A training failed.
    """
    waiting = [
        Job(
            name,
            "kerasnas.flow.workers.jobs:final",
            session.worker_arguments,
            description.fields(),
            training.path.absolute(),
        )
        for name, (training, description) in jobs.items()
    ]
    epochs = epochs or session.experiment.training.final.epochs
    return run_jobs(session, group, waiting, epochs, planned=planned, tolerant=tolerant)


def run_jobs(
    session: Session,
    group: str,
    jobs: Sequence[Job],
    epochs: int,
    *,
    planned: int | None = None,
    tolerant: bool = False,
) -> dict[str, float]:
    """Run trainings side by side.

    Args:
        session: Run directory, settings, cluster and console.
        group: Name of the trainings; see `open_workers`.
        jobs: Each reports its epochs, and its result has metrics.
        epochs: Of each training.
        planned: Trainings in the whole group; by default these ones.
        tolerant: Whether a training that fails is only said, and leaves no result.

    Returns:
        Seconds that each took, by id, without those that failed.

    Raises:
        KerasnasError: A training failed, and `tolerant` is not given.
    """
    seconds: dict[str, float] = {}
    console = session.console
    waiting = list(jobs)
    bar = ProgressBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    )
    boards = Boards(session.run, session.experiment.report.tensorboard)
    for job in jobs:
        if job.directory is not None:
            boards.announce(job.id, job.directory, job.values.get("values") or {})
    with (
        bar,
        closing(boards),
        open_workers(session, group, planned=planned or len(waiting), left=len(waiting)) as workers,
    ):
        tasks = {
            job.id: bar.add_task(job.id, total=epochs, note="waiting", start=False)
            for job in waiting
        }
        free = set(range(workers.slots))
        while waiting or len(free) < workers.slots:
            while waiting and free:
                bar.start_task(tasks[waiting[0].id])
                bar.update(tasks[waiting[0].id], note="starting a worker")
                workers.start(waiting.pop(0), free.pop())
            for event in workers.wait():
                require_kept(session.run)
                boards.on_event(event)
                match event:
                    case Started():
                        bar.update(tasks[event.id], note="building the network")
                    case Progress():
                        workers.answer(event.slot, True)
                        note = epoch_in_words(event, epochs)
                        bar.update(tasks[event.id], completed=event.step, note=note)
                    case Finished():
                        free.add(event.slot)
                        seconds[event.id] = event.seconds
                        scores = format_metrics(event.result["metrics"])
                        bar.update(tasks[event.id], completed=epochs, note="done")
                        said = f"{event.id}: {scores} ({event.seconds:.0f} s)"
                        console.print(said, markup=False)
                    case Failed() if tolerant:
                        free.add(event.slot)
                        bar.update(tasks[event.id], note="failed")
                        console.print(f"{event.id} failed: {event.message}", markup=False)
                    case Failed():
                        raise KerasnasError(
                            f"training {event.id} failed: {event.message}\n{event.traceback}"
                        )
    return seconds


def train_missing(
    session: Session,
    group: str,
    jobs: Mapping[str, FinalTraining],
    epochs: int | None = None,
    *,
    planned: int | None = None,
    tolerant: bool = False,
) -> dict[str, float]:
    """Run those final trainings of a group that the run directory does not hold yet.

    Arguments, errors and what is returned are those of `run_finals`; `jobs` is the whole group
    unless `planned` says how many there are.
    """
    waiting = {name: job for name, job in jobs.items() if prepare_training(session, *job)}
    if waiting:
        session.console.print(f"Training {'; '.join(waiting)} ...", markup=False)
        return run_finals(
            session,
            group,
            waiting,
            planned=planned or len(jobs),
            epochs=epochs,
            tolerant=tolerant,
        )
    return {}


def prepare_training(session: Session, training: TrainingPaths, description: Description) -> bool:
    """Empty the directory of a training and keep its description there.

    Returns:
        Whether there is something to train: False, and nothing is touched, where the directory
        holds what `description` says, trained and scored. Damaged records are said, and trained
        again.
    """
    if training.model.exists() and session.intact(Evaluation, training.evaluation) is not None:
        stored = session.intact(Description, training.description)
        if stored is not None and stored.trains_like(description):
            return False
    shutil.rmtree(training.path, ignore_errors=True)
    description.write(training.description)
    return True
