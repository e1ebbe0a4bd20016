"""Scoring the candidates of a search: by a short training each, or on a supernet."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from kerasnas.errors import KerasnasError, counted
from kerasnas.flow.stages import trials
from kerasnas.flow.stages.limits import Sizes
from kerasnas.flow.stages.start import open_search, rehearse
from kerasnas.flow.stages.supernet import train_missing_supernet
from kerasnas.flow.task.frozen import has_trunks, open_frozen
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.flow.workers.boards import Boards
from kerasnas.flow.workers.display import Display
from kerasnas.flow.workers.folds import FoldRunner, mean_of_folds
from kerasnas.flow.workers.pool import open_workers
from kerasnas.models.pretrained.either import EitherSpace
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.tuners import MedianStop, Results, Search, SearchError, Trial
from kerasnas.tuners.loop import run as run_loop
from kerasnas.tuners.runners.base import Event, Job, Runner

_GROUP = "trials"


def prepare_supernet(session: Session) -> Path | None:
    """Return the file of the supernet whose weights candidates inherit, trained here if need be.

    Args:
        session: Of the search.

    Returns:
        None for a search that trains every candidate.

    Raises:
        KerasnasError: As from `train_missing_supernet`, or what is enqueued is no candidate.
        TunerError: No candidate lies in the window.
    """
    if session.experiment.search.supernet is None:
        return None
    rehearse(session.task)
    return train_missing_supernet(session)


def prepare_trunk(session: Session) -> None:
    """Compute what the unpruned blocks of a trunk make of the clips; workers share it.

    Nothing is done for other spaces, where the cache has it already, or where it is computed
    elsewhere: on a cluster, or for candidates with features of their own.

    Raises:
        KerasnasError: What is enqueued is no candidate, or the file of the trunk has changed.
        TunerError: No candidate lies in the window.
    """
    if not has_trunks(session.task):
        return
    if not session.paths.journal.exists():
        rehearse(session.task)
    tuned = session.experiment.search.tune
    if session.cluster is not None or any(name.startswith("features.") for name in tuned):
        return
    space = session.task.space
    whole = space.pretrained if isinstance(space, EitherSpace) else space
    assert isinstance(whole, PretrainedSpace)
    with session.console.status("Running the first blocks of the trunk on all clips"):
        open_frozen(session.task, whole)


def score_candidates(session: Session, supernet: Path | None = None) -> Results:
    """Score candidates until the search is done; what its journal holds is not done again.

    Args:
        session: Its run directory keeps the search.
        supernet: File whose weights candidates inherit; None trains each of them.

    Returns:
        All trials, at least one of them completed.

    Raises:
        KerasnasError: No candidate was scored.
        TunerError: As from `Search`.
    """
    sizes, wanted = Sizes(session.task), session.experiment.search.trials
    with open_search(session.task, sizes, session.run, supernet) as search:
        try:
            _run_trials(session, search, supernet)
        except SearchError as error:
            raise SearchError(sizes.explained(str(error))) from error
        completed = len(search.history.completed())
        if completed < wanted:
            session.console.print(
                f"{completed} of {counted(wanted, 'trial')} scored: {search.finished}.",
                markup=False,
            )
        if not completed:
            raise KerasnasError(
                f"no candidate was trained: {search.finished}; "
                f"`kerasnas trials {session.run}` lists why"
            )
        return Results(search.history)


def _run_trials(session: Session, search: Search, supernet: Path | None) -> None:
    """Run the trials that are left, and show and record what comes of them."""
    settings = session.experiment.search
    left = settings.trials - len(search.trials) + len(search.history.waiting)
    book = trials.Book(session.run, search, session.experiment, session.task.space.headline_gene)
    boards = Boards(session.run, session.experiment.report.tensorboard)
    boards.describe(search.genes, session.experiment.objectives)
    with (
        closing(book),
        closing(boards),
        _open_runner(session, max(1, left), resident=supernet is not None) as workers,
        Display(
            session.console,
            search,
            settings.trials,
            workers.slots,
            _epochs(session, supernet),
            "the window or the limits" if settings.limits else "the window",
        ) as display,
    ):
        run_loop(
            search,
            workers,
            functools.partial(_job, session, supernet, boards),
            on_event=functools.partial(_tell, (display, book.on_event, boards.on_event)),
            median_stop=_median_stop(session) if settings.stop_hopeless else None,
        )


def _epochs(session: Session, supernet: Path | None) -> int | None:
    """Return the epochs that a candidate reports; None where it may report none."""
    if supernet is not None or has_trunks(session.task):
        return None
    folds = 1 if session.experiment.search.spread_folds else len(session.task.candidate_parts())
    return session.experiment.training.candidate.epochs * folds


def _open_runner(session: Session, candidates: int, resident: bool) -> Runner:
    """Return what runs so many candidates, or the folds of each side by side."""
    experiment = session.experiment
    if resident or not experiment.search.spread_folds:
        brief = _only_probes(session.task)
        return open_workers(session, _GROUP, left=candidates, resident=resident, brief=brief)
    folds = list(session.task.candidate_parts())
    workers = open_workers(session, _GROUP, left=candidates * len(folds))
    combine = functools.partial(mean_of_folds, experiment)
    return FoldRunner(workers, "kerasnas.flow.workers.jobs:fold", folds, combine)


def _only_probes(task: Task) -> bool:
    """Whether no candidate is trained with gradients."""
    model = task.experiment.model
    if not isinstance(model, PretrainedSettings):
        return False
    return model.from_scratch is None and not model.new_block and set(model.heads) == {"linear"}


def _job(session: Session, supernet: Path | None, boards: Boards, trial: Trial) -> Job:
    """Return the job of a trial, which has files of its own only where it is trained."""
    bytes_ = {} if trial.cost is None else {"bytes": trial.cost}
    boards.announce(trial.id, session.paths.trial(trial.id).path, {**trial.values, **bytes_})
    arguments, limit = session.worker_arguments, session.experiment.search.trial_seconds
    if supernet is not None:
        factory = "kerasnas.flow.stages.supernet:candidate"
        arguments |= {"supernet": str(supernet)}
        return Job(trial.id, factory, arguments, dict(trial.values), time_limit=limit)
    factory = "kerasnas.flow.workers.jobs:candidate"
    directory = session.paths.trial(trial.id).path.absolute()
    return Job(trial.id, factory, arguments, dict(trial.values), directory, limit)


def _median_stop(session: Session) -> MedianStop:
    first = max(1, session.experiment.training.candidate.epochs // 3)
    return MedianStop(metric="val_loss", direction="min", first_step=first)


def _tell(listeners: Sequence[Callable[[Event], object]], event: Event) -> None:
    for listener in listeners:
        listener(event)
