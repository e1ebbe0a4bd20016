"""`kerasnas train`: one architecture with the final recipe, over folds and seeds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from kerasnas import experiment as experiments
from kerasnas.blocks.architecture import Architecture
from kerasnas.datasets import cache_root
from kerasnas.errors import KerasnasError
from kerasnas.files import read_json, write_json
from kerasnas.flow import task
from kerasnas.flow.export import export_model
from kerasnas.flow.run import EXPERIMENT, open_run, read_experiment
from kerasnas.flow.task import Task
from kerasnas.flow.winners import chosen, describe
from kerasnas.flow.workers import is_done, run_finals
from kerasnas.report import write as write_report


@dataclass(frozen=True)
class Training:
    """One training and what it scored.

    Attributes:
        fold: The fold that was tested on; None for the experiment's test clips.
        seed: Of the training.
        scores: For each precision its metrics, and `bytes` of its file.
        count: Clips tested on.
    """

    fold: str | None
    seed: int
    scores: dict[str, dict[str, float]]
    count: int

    def to_json(self) -> dict[str, Any]:
        """As `folds.json` holds it."""
        return {"fold": self.fold, "seed": self.seed, "count": self.count, **self.scores}


@dataclass(frozen=True)
class Trainings:
    """All trainings of one architecture."""

    directory: Path
    label: str
    metric: str
    trainings: tuple[Training, ...]

    @property
    def precisions(self) -> tuple[str, ...]:
        """`float32` and the formats that were exported."""
        return tuple(self.trainings[0].scores)

    def mean(self, precision: str) -> float:
        """The metric over all clips: folds weigh by their clips, seeds equally."""
        pairs = [(t.scores[precision][self.metric], t.count) for t in self.trainings]
        return sum(value * count for value, count in pairs) / sum(count for _, count in pairs)

    def deviation(self, precision: str) -> float | None:
        """Standard deviation over seeds of the mean over folds; None for a single seed."""
        seeds = sorted({training.seed for training in self.trainings})
        if len(seeds) < 2:
            return None
        means = []
        for seed in seeds:
            mine = tuple(t for t in self.trainings if t.seed == seed)
            means.append(Trainings(self.directory, "", self.metric, mine).mean(precision))
        middle = fmean(means)
        return sqrt(sum((mean - middle) ** 2 for mean in means) / (len(means) - 1))

    def table(self) -> Table:
        """For the screen."""
        table = Table(title=f"{self.label}: {self.metric.replace('_', ' ')}")
        table.add_column("tested on")
        table.add_column("seed", justify="right")
        table.add_column("clips", justify="right")
        for precision in self.precisions:
            table.add_column(precision, justify="right")
        table.add_column(f"{self.precisions[-1]} bytes", justify="right")
        for training in self.trainings:
            table.add_row(
                "test clips" if training.fold is None else f"fold {training.fold}",
                str(training.seed),
                str(training.count),
                *(f"{training.scores[name][self.metric]:.3f}" for name in self.precisions),
                f"{training.scores[self.precisions[-1]]['bytes']:,.0f}",
            )
        deviations = [self.deviation(name) for name in self.precisions]
        table.add_section()
        table.add_row(
            "all",
            "",
            str(sum(training.count for training in self.trainings)),
            *(
                f"{self.mean(name):.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")
                for name, deviation in zip(self.precisions, deviations, strict=True)
            ),
        )
        return table


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
    source = Path(source)
    searched = (source / EXPERIMENT).is_file()
    settings = read_experiment(source) if searched else experiments.load(source)
    settings = settings.overridden(data, workers)
    if architecture is None and not searched:
        raise KerasnasError(f"{source} has no chosen network: give --architecture")
    run = run or (source if searched else Path("runs") / settings.name)
    cache = cache_root(cache).absolute()  # workers may have another environment
    with open_run(run, settings):
        loaded = task.load(settings, cache, progress=console.is_terminal)
        label, network, tuned = _network(architecture or str(source), loaded)
        loaded = loaded.tuned(tuned)
        described = describe(loaded.experiment, network, tuned)
        jobs = _jobs(run / "train" / label, described, _folds(folds, loaded), seeds)
        result = _train(run, label, loaded, jobs, cache, cluster, console)
        if (run / "winners.json").exists():
            write_report(run)
    return result


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
    waiting = {
        name: (place, values)
        for name, (place, values) in jobs.items()
        if not is_done(place, values)
    }
    for place, values in waiting.values():
        shutil.rmtree(place, ignore_errors=True)
        write_json(place / "architecture.json", values)
    if waiting:
        console.print(f"Training {label}: {', '.join(waiting)} ...")
        run_finals(run, settings, waiting, cache, console, cluster)
    trainings = []
    for place, values in jobs.values():
        stored = _scores(place, loaded, values["fold"], console)
        trainings.append(
            Training(values["fold"], values["seed"], stored["scores"], stored["count"])
        )
    result = Trainings(directory, label, settings.primary_metric, tuple(trainings))
    write_json(
        directory / "folds.json",
        {
            "schema": 1,
            "architecture": label,
            "metric": result.metric,
            "trainings": [training.to_json() for training in result.trainings],
            "mean": {name: result.mean(name) for name in result.precisions},
            "deviation": {name: result.deviation(name) for name in result.precisions},
        },
    )
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


def _scores(directory: Path, loaded: Task, fold: str | None, console: Console) -> dict[str, Any]:
    """What all precisions score, from `scores.json` if these settings were exported before."""
    settings = loaded.experiment.export.model_dump(mode="json")
    path = directory / "scores.json"
    if path.exists():
        stored: dict[str, Any] = read_json(path)
        if stored["settings"] == settings:
            return stored
    console.print(f"Exporting {directory.name} ...")
    train, _, test = loaded.final_parts(fold)
    exported = export_model(
        directory / "model.keras", directory / "export", loaded, train, test, on_fail="report"
    )
    scores = {"float32": read_json(directory / "evaluation.json")["metrics"]}
    for name, file in exported.files.items():
        metrics = read_json(exported.directory / f"evaluation_{name}.json")["metrics"]
        scores[name] = {**metrics, "bytes": file.stat().st_size}
    result = {"schema": 1, "count": len(test), "scores": scores, "settings": settings}
    write_json(path, result)
    return result
