"""`kerasnas train`: one architecture with the final recipe, over folds and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.stages.baselines import fold_baselines
from kerasnas.flow.stages.export_network import export_missing
from kerasnas.flow.stages.nested import search_without
from kerasnas.flow.stages.review import review
from kerasnas.flow.task.frozen import has_trunks
from kerasnas.flow.task.opening import fit_oracle, open_run, read_experiment
from kerasnas.flow.task.recipes import decided
from kerasnas.flow.task.session import Session, resolve
from kerasnas.flow.task.task import Task, load_task
from kerasnas.flow.task.trainings import BASELINE, Trainings, summarise
from kerasnas.flow.task.winners import describe, read_chosen, read_named, searched_network
from kerasnas.flow.workers.pool import FinalTraining, train_missing
from kerasnas.paths import StrPath, path_or_none
from kerasnas.report import write as write_report
from kerasnas.runs.directory import is_run
from kerasnas.runs.layout import WINNER_LABEL, NetworkPaths, TrainingPaths
from kerasnas.runs.records import Description, Evaluation, FoldTraining
from kerasnas.runs.records.review import WHOLE
from kerasnas.runs.records.trained import OPTIMISTIC
from kerasnas.runs.values import Json
from kerasnas.training.scoring.metrics import ByClass


def train(
    source: StrPath,
    *,
    architecture: StrPath | None = None,
    folds: str | None = None,
    seeds: int = 1,
    data: StrPath | None = None,
    run: StrPath | None = None,
    workers: int | None = None,
    cache: StrPath | None = None,
    cluster: str | None = None,
    console: Console | None = None,
) -> Trainings:
    """Train one architecture, export it, and score float32, float16 and int8.

    Trainings that the run directory already holds are not done again.

    Args:
        source: Experiment file, or run directory of a search.
        architecture: Named reference of the search space, or a run directory whose chosen
            network to take (`RUN:NAME`: that of the winner of this name; `RUN:most_probable`: what
            its controller finds most probable); by default that of `source`.
        folds: `all` folds or some, with commas, of the data set or, where it has none, stratified
            ones that are made here and part no group; None for the experiment's test clips. A
            search over pretrained trunks is done anew without each fold.
        seeds: Trainings for each fold, with seeds from 0.
        data: Directory of the data set; overrides `KERASNAS_DATA` and `data.root`.
        run: Where results go; by default `source`, or `runs/NAME` for an experiment file.
        workers: Trainings side by side.
        cache: Directory for features.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to train on.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used, or a training failed.
    """
    console = console or Console()
    with open_network(source, architecture, data, run, workers, cache, cluster, console) as (
        session,
        network,
    ):
        names = _parse_folds(folds, session.task)
        jobs = _jobs(session, network, names, seeds)
        result = replace(
            _train(session, network, jobs),
            caveat=caveat_of(session.task, str(architecture or source), names),
        )
        if session.paths.winners.exists():
            write_report(session.run)
    return result


class NetworkToTrain(NamedTuple):
    """A network that is to be trained.

    Attributes:
        label: Its name.
        description: Of its trainings, whatever their fold and seed.
    """

    label: str
    description: Description

    @property
    def group(self) -> str:
        """Name of its trainings, which compute with as many threads each."""
        return f"train/{self.label}"


def locate(
    source: StrPath, run: StrPath | None, cache: StrPath | None
) -> tuple[Experiment, Path, Path]:
    """Return settings, run directory and directory for features; arguments as of `train`.

    Raises:
        KerasnasError: The source is neither an experiment nor a run.
    """
    if is_run(Path(source)):
        return resolve(read_experiment(Path(source)), source if run is None else run, cache)
    return resolve(source, run, cache)


@contextmanager
def open_network(
    source: StrPath,
    architecture: StrPath | None,
    data: StrPath | None,
    run: StrPath | None,
    workers: int | None,
    cache: StrPath | None,
    cluster: str | None,
    console: Console,
) -> Iterator[tuple[Session, NetworkToTrain]]:
    """Hold the run directory in which a network is trained; arguments as of `train`.

    The task has the settings that were tuned for the network.

    Raises:
        KerasnasError: Something given cannot be used.
    """
    searched = is_run(Path(source))
    settings, directory, features = locate(source, run, cache)
    settings = settings.overridden(path_or_none(data), workers)
    if architecture is None and not searched:
        raise KerasnasError(f"{source} has no chosen network: give --architecture")
    if architecture is not None and searched_network(str(architecture)) is None:
        settings.space(classes=2).reference(str(architecture))  # no features for an unknown name
    settings, _ = fit_oracle(settings, directory)  # as a search in this run has it
    with open_run(directory, settings):
        chosen = decided(settings, Path(source)) if searched else settings
        task = load_task(chosen, features, progress=console.is_terminal)
        given = str(architecture or source)
        label, network, tuned, values = _find_network(given, task, directory)
        task = task.tuned(tuned)
        description = describe(task.experiment, network, tuned, values=values)
        session = Session(directory, task, features, cluster, console)
        yield session, NetworkToTrain(label, description)


def _jobs(
    session: Session, network: NetworkToTrain, folds: list[str | None], seeds: int
) -> dict[str, FinalTraining]:
    """Return the trainings by name; of a search that takes minutes, it is done anew a fold."""
    paths, jobs = session.paths.network(network.label), dict[str, FinalTraining]()
    anew = network.label == WINNER_LABEL and has_trunks(session.task)
    for seed in range(seeds):
        for fold in folds:
            training = paths.training(fold, seed)
            if anew and fold is not None:
                described = search_without(session, fold, seed)
            else:
                described = replace(network.description, seed=seed, fold=fold)
            jobs[training.path.name] = training, described
    return jobs


def _train(session: Session, network: NetworkToTrain, jobs: dict[str, FinalTraining]) -> Trainings:
    """Train what is not there yet, export it, and write `folds.json`."""
    task, paths = session.task, session.paths.network(network.label)
    train_missing(session, network.group, jobs)
    scored = [_score(session, paths, training, described) for training, described in jobs.values()]
    folds = summarise(
        network.label,
        task.experiment.primary_metric,
        tuple(task.clips.classes),
        [training for training, _ in scored],
        [table for _, table in scored],
    )
    folds.write(paths.folds)
    return Trainings(paths.path, folds)


def _find_network(
    architecture: str, task: Task, run: Path
) -> tuple[str, Architecture, dict[str, Any], Json | None]:
    """Label, architecture, tuned settings, and values if known, of a reference or a search.

    Args:
        architecture: The name, a run directory, or `RUN:NAME`.
        task: Of the trainings.
        run: The run directory that results go to; the winners of others are labelled by theirs.
    """
    found = searched_network(architecture)
    if found is None:
        return architecture, task.space.reference(architecture), {}, None
    path, name = found
    classes = len(task.clips.classes)
    described = read_chosen(path) if name is None else read_named(path, name, classes)
    network = Architecture.from_json(described.architecture)
    known = task.experiment.search.tune
    tuned = {name: value for name, value in described.settings.items() if name in known}
    shape = task.experiment.tuned(tuned).features.input_shape
    if network.input_shape != shape:
        raise KerasnasError(
            f"the network of {path} takes inputs of {network.input_shape}, the experiment's "
            f"features are {shape}"
        )
    own = WINNER_LABEL if path.resolve() == run.resolve() else path.resolve().name
    label = own if name is None else f"{own}-{name}"
    return label, network, tuned, described.values


def caveat_of(task: Task, network: str, folds: list[str | None]) -> str | None:
    """Return what to say of folds on whose clips the network was searched; None elsewhere.

    Args:
        task: Of the trainings.
        network: Name of a reference, or run directory of a search.
        folds: That are tested on.
    """
    if folds == [None] or task.experiment.split.by == "fold" or has_trunks(task):
        return None
    return None if searched_network(network) is None else OPTIMISTIC


def _parse_folds(folds: str | None, task: Task) -> list[str | None]:
    if folds is None:
        return [None]
    if has_trunks(task) and not task.clips.folds:
        raise KerasnasError(
            f"{task.clips.root} has no folds, and a search over trunks is done anew without each: "
            "give the clips a fold column, or leave --folds out"
        )
    known = task.folded.folds
    if folds == "all":
        return list(known)
    names: list[str | None] = []
    for name in folds.split(","):
        if name not in known:
            raise KerasnasError(f"there is no fold {name!r}: there are {', '.join(known)}")
        names.append(name)
    return names


def _score(
    session: Session, network: NetworkPaths, training: TrainingPaths, described: Description
) -> tuple[FoldTraining, dict[str, ByClass]]:
    """Return what all precisions score, and by class; export what is not exported yet."""
    task, fold = session.task, described.fold
    train, early, test = task.final_parts(fold)
    exported = export_missing(session, training.model, training.export, train, test, "report")
    found = {"float32": Evaluation.read(training.evaluation)}
    scores = {"float32": dict(found["float32"].metrics)}
    for name, file in exported.files.items():
        found[name] = Evaluation.read(training.export.evaluation(name))
        scores[name] = {**found[name].metrics, "bytes": file.stat().st_size}
    assert described.seed is not None
    baselines = fold_baselines(session, network.baselines(fold), fold)
    evaluations = {WHOLE: training.evaluation}
    evaluations |= {name: training.export.evaluation(name) for name in exported.files}
    findings = review(task, evaluations, np.union1d(train, early), baselines).told()
    beside = baselines.parts["test"].regression if "test" in baselines.parts else None
    if beside is not None:
        found[BASELINE] = beside
    tables = {name: each.by_class for name, each in found.items() if each.by_class is not None}
    figures = {} if beside is None else dict(beside.metrics)
    scored = FoldTraining(fold, described.seed, len(test), scores, figures, tuple(findings))
    return scored, tables
