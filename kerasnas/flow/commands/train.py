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
from kerasnas.flow.commands.export import export_missing
from kerasnas.flow.opening import EXPERIMENT, open_run, read_experiment, resolved
from kerasnas.flow.task import task
from kerasnas.flow.task.task import Task
from kerasnas.flow.task.trainings import Scores, Training, Trainings
from kerasnas.flow.task.winners import chosen, describe
from kerasnas.flow.workers.pool import train_missing
from kerasnas.report import write as write_report


def train(
    source: Path,
    *,
    architecture: str | None = None,
    folds: str | None = None,
    seeds: int = 1,
    data: Path | None = None,
    run: Path | None = None,
    workers: int | None = None,
    cache: Path | None = None,
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
        data: Directory of the data set; comes before `KERASNAS_DATA` and the experiment's root.
        run: Where results go; by default `source`, or `runs/NAME` for an experiment file.
        workers: Trainings side by side.
        cache: Directory for features.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to train on.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used, or a training failed.
    """
    console = console or Console()
    with opened(source, architecture, data, run, workers, cache, console) as network:
        directory = network.run / "train" / network.label
        jobs = _jobs(directory, network.described, _folds(folds, network.loaded), seeds)
        result = _train(
            network.run, network.label, network.loaded, jobs, network.cache, cluster, console
        )
        if (network.run / "winners.json").exists():
            write_report(network.run)
    return result


class Chosen(NamedTuple):
    """A network that is to be trained.

    Attributes:
        run: Where results go.
        loaded: The task, with the settings that were tuned for the network.
        label: The network's name.
        described: What `architecture.json` says of it.
        cache: Directory for features.
    """

    run: Path
    loaded: Task
    label: str
    described: dict[str, Any]
    cache: Path


@contextmanager
def opened(
    source: Path,
    architecture: str | None,
    data: Path | None,
    run: Path | None,
    workers: int | None,
    cache: Path | None,
    console: Console,
) -> Iterator[Chosen]:
    """Hold the run directory in which a network is trained; arguments as of `train`.

    Raises:
        KerasnasError: Something given cannot be used.
    """
    source = Path(source)
    searched = (source / EXPERIMENT).is_file()
    given = read_experiment(source) if searched else source
    settings, run, cache = resolved(given, run or (source if searched else None), cache)
    settings = settings.overridden(data, workers)
    if architecture is None and not searched:
        raise KerasnasError(f"{source} has no chosen network: give --architecture")
    if architecture is not None and not (Path(architecture) / EXPERIMENT).is_file():
        settings.space(classes=2).reference(architecture)  # no features for an unknown name
    with open_run(run, settings):
        loaded = task.load(settings, cache, progress=console.is_terminal)
        label, network, tuned = _network(architecture or str(source), loaded)
        loaded = loaded.tuned(tuned)
        yield Chosen(run, loaded, label, describe(loaded.experiment, network, tuned), cache)


def _jobs(
    directory: Path, described: dict[str, Any], folds: list[str | None], seeds: int
) -> dict[str, tuple[Path, dict[str, Any]]]:
    """By name: where a training's results go, and its description, which `jobs.final` takes."""
    jobs: dict[str, tuple[Path, dict[str, Any]]] = {}
    for seed in range(seeds):
        for fold in folds:
            name = f"{'test' if fold is None else f'fold{fold}'}-seed{seed}"
            jobs[name] = directory / name, {**described, "seed": seed, "fold": fold}
    return jobs


def _train(
    run: Path,
    label: str,
    loaded: Task,
    jobs: dict[str, tuple[Path, dict[str, Any]]],
    cache: Path,
    cluster: str | None,
    console: Console,
) -> Trainings:
    """Train what is not there yet, export it, and write `folds.json`."""
    settings, directory = loaded.experiment, run / "train" / label
    train_missing(run, settings, jobs, cache, console, cluster)
    trainings = [
        Training(values["fold"], values["seed"], *_scores(place, loaded, values["fold"], console))
        for place, values in jobs.values()
    ]
    classes = tuple(loaded.clips.classes)
    result = Trainings(directory, label, settings.primary_metric, classes, tuple(trainings))
    write_json(directory / "folds.json", result.to_json())
    return result


def _network(architecture: str, loaded: Task) -> tuple[str, Architecture, dict[str, Any]]:
    """Label, architecture and tuned settings for a reference's name or a run directory."""
    path = Path(architecture)
    if (path / EXPERIMENT).is_file():
        described = chosen(path)
        network = Architecture.from_json(described["architecture"])
        known = loaded.experiment.search.tune
        tuned = {
            name: value for name, value in described.get("settings", {}).items() if name in known
        }
        shape = loaded.experiment.tuned(tuned).features.input_shape
        if network.input_shape != shape:
            raise KerasnasError(
                f"the network of {path} takes inputs of {network.input_shape}, the experiment's "
                f"features are {shape}"
            )
        return "winner", network, tuned
    return architecture, loaded.space.reference(architecture), {}


def _folds(folds: str | None, loaded: Task) -> list[str | None]:
    if folds is None:
        return [None]
    known = loaded.clips.folds
    if not known:
        raise KerasnasError(f"{loaded.clips.root} has no folds: leave --folds out")
    if folds == "all":
        return list(known)
    names: list[str | None] = []
    for name in folds.split(","):
        if name not in known:
            raise KerasnasError(f"there is no fold {name!r}: the data set has {', '.join(known)}")
        names.append(name)
    return names


def _scores(
    directory: Path, loaded: Task, fold: str | None, console: Console
) -> tuple[dict[str, Scores], int]:
    """What all precisions score, and on how many clips; exports what is not exported yet."""
    train, _, test = loaded.final_parts(fold)
    exported = export_missing(
        directory / "model.keras", directory / "export", loaded, train, test, console, "report"
    )
    scores = {"float32": Scores.from_json(read_json(directory / "evaluation.json"))}
    for name, file in exported.files.items():
        found = read_json(exported.directory / f"evaluation_{name}.json")
        metrics = {**found["metrics"], "bytes": file.stat().st_size}
        scores[name] = Scores.from_json({**found, "metrics": metrics})
    return scores, len(test)
