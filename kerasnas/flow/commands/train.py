"""`kerasnas train`: one architecture with the final recipe, over folds and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.files import read_json, write_json
from kerasnas.flow.stages.export_network import export_missing
from kerasnas.flow.task.opening import EXPERIMENT, open_run, read_experiment
from kerasnas.flow.task.session import Session, resolve
from kerasnas.flow.task.task import Task, load_task
from kerasnas.flow.task.trainings import Scores, Training, Trainings
from kerasnas.flow.task.winners import describe, read_chosen
from kerasnas.flow.workers.pool import FinalTraining, train_missing
from kerasnas.paths import StrPath, path_or_none
from kerasnas.report import write as write_report


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
            network to take; by default that of `source`.
        folds: `all` folds of the data set or some, with commas; None for the experiment's test
            clips.
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
    opened = open_network(source, architecture, data, run, workers, cache, cluster, console)
    with opened as (session, network):
        names = _parse_folds(folds, session.task)
        jobs = _jobs(session.run / network.directory, network.description, names, seeds)
        result = _train(session, network, jobs)
        if (session.run / "winners.json").exists():
            write_report(session.run)
    return result


class Network(NamedTuple):
    """A network that is to be trained.

    Attributes:
        label: Its name.
        description: What `architecture.json` says of it.
    """

    label: str
    description: dict[str, Any]

    @property
    def directory(self) -> str:
        """Where its trainings go, in the run directory."""
        return f"train/{self.label}"


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
) -> Iterator[tuple[Session, Network]]:
    """Hold the run directory in which a network is trained; arguments as of `train`.

    The task has the settings that were tuned for the network.

    Raises:
        KerasnasError: Something given cannot be used.
    """
    searched = (Path(source) / EXPERIMENT).is_file()
    given = read_experiment(Path(source)) if searched else source
    if run is None and searched:
        run = source
    settings, directory, features = resolve(given, run, cache)
    settings = settings.overridden(path_or_none(data), workers)
    if architecture is None and not searched:
        raise KerasnasError(f"{source} has no chosen network: give --architecture")
    if architecture is not None and not (Path(architecture) / EXPERIMENT).is_file():
        settings.space(classes=2).reference(str(architecture))  # no features for an unknown name
    with open_run(directory, settings):
        task = load_task(settings, features, progress=console.is_terminal)
        label, network, tuned = _find_network(str(architecture or source), task)
        task = task.tuned(tuned)
        description = describe(task.experiment, network, tuned)
        session = Session(directory, task, features, cluster, console)
        yield session, Network(label, description)


def _jobs(
    directory: Path, description: dict[str, Any], folds: list[str | None], seeds: int
) -> dict[str, FinalTraining]:
    """By name: where a training's results go, and its description, which `jobs.final` takes."""
    jobs: dict[str, FinalTraining] = {}
    for seed in range(seeds):
        for fold in folds:
            name = f"{'test' if fold is None else f'fold{fold}'}-seed{seed}"
            jobs[name] = directory / name, {**description, "seed": seed, "fold": fold}
    return jobs


def _train(session: Session, network: Network, jobs: dict[str, FinalTraining]) -> Trainings:
    """Train what is not there yet, export it, and write `folds.json`."""
    task, directory = session.task, session.run / network.directory
    train_missing(session, network.directory, jobs)
    trainings = [
        Training(values["fold"], values["seed"], *_score(session, place, values["fold"]))
        for place, values in jobs.values()
    ]
    metric, classes = task.experiment.primary_metric, tuple(task.clips.classes)
    result = Trainings(directory, network.label, metric, classes, tuple(trainings))
    write_json(directory / "folds.json", result.to_json())
    return result


def _find_network(architecture: str, task: Task) -> tuple[str, Architecture, dict[str, Any]]:
    """Label, architecture and tuned settings for a reference's name or a run directory."""
    path = Path(architecture)
    if (path / EXPERIMENT).is_file():
        described = read_chosen(path)
        network = Architecture.from_json(described["architecture"])
        known = task.experiment.search.tune
        tuned = {
            name: value for name, value in described.get("settings", {}).items() if name in known
        }
        shape = task.experiment.tuned(tuned).features.input_shape
        if network.input_shape != shape:
            raise KerasnasError(
                f"the network of {path} takes inputs of {network.input_shape}, the experiment's "
                f"features are {shape}"
            )
        return "winner", network, tuned
    return architecture, task.space.reference(architecture), {}


def _parse_folds(folds: str | None, task: Task) -> list[str | None]:
    if folds is None:
        return [None]
    known = task.clips.folds
    if not known:
        raise KerasnasError(f"{task.clips.root} has no folds: leave --folds out")
    if folds == "all":
        return list(known)
    names: list[str | None] = []
    for name in folds.split(","):
        if name not in known:
            raise KerasnasError(f"there is no fold {name!r}: the data set has {', '.join(known)}")
        names.append(name)
    return names


def _score(session: Session, directory: Path, fold: str | None) -> tuple[dict[str, Scores], int]:
    """Return what all precisions score, and on how many clips; export what is not exported yet."""
    train, _, test = session.task.final_parts(fold)
    model, output = directory / "model.keras", directory / "export"
    exported = export_missing(session, model, output, train, test, "report")
    scores = {"float32": Scores.from_json(read_json(directory / "evaluation.json"))}
    for name, file in exported.files.items():
        found = read_json(exported.directory / f"evaluation_{name}.json")
        metrics = {**found["metrics"], "bytes": file.stat().st_size}
        scores[name] = Scores.from_json({**found, "metrics": metrics})
    return scores, len(test)
