"""`kerasnas train --ensemble`: a network trained once a fold, and the mean of all answers.

Li et al., Interspeech 2020, section 3.2: four models, each trained without one of the official
folds, answer together on the evaluation set: a clip's scores are the mean of their posteriors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kerasnas.errors import KerasnasError
from kerasnas.files import read_json, write_json
from kerasnas.flow.commands.train import Network, open_network
from kerasnas.flow.task.result import Result
from kerasnas.flow.task.scores import format_metrics
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.flow.workers.pool import FinalTraining, run_jobs, train_missing
from kerasnas.paths import StrPath
from kerasnas.report import write as write_report
from kerasnas.tuners.runners.base import Job

FILE = "ensemble.json"


@dataclass(frozen=True, repr=False)
class Ensemble(Result):
    """An ensemble and its members, scored on the test clips.

    Attributes:
        directory: Holds every member's directory and `evaluation.json`.
        metrics: Of the ensemble.
        members: Metrics of each, by the fold that it was not trained on.
    """

    directory: Path
    metrics: dict[str, float | None]
    members: dict[str, dict[str, float | None]]

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        members, metrics = len(self.members), format_metrics(self.metrics)
        return {"directory": str(self.directory), "members": f"{members}", "test clips": metrics}

    def table(self) -> Table:
        """For the screen."""
        table = Table(title=f"{self.directory.name} on the test clips")
        table.add_column("trained without")
        for name in self.metrics:
            table.add_column(name.replace("_", " "), justify="right")
        for label, metrics in {**self.members, "ensemble": self.metrics}.items():
            shown = ("" if value is None else f"{value:.4f}" for value in metrics.values())
            table.add_row(label, *shown)
        return table


def ensemble(
    source: StrPath,
    *,
    architecture: StrPath | None = None,
    data: StrPath | None = None,
    run: StrPath | None = None,
    workers: int | None = None,
    cache: StrPath | None = None,
    cluster: str | None = None,
    console: Console | None = None,
) -> Ensemble:
    """Train a network without each of the folds in turn, and score all together.

    Arguments are those of `commands.train.train`. Members that the run directory already holds
    are not trained again.

    Raises:
        KerasnasError: The clips that are not tested on have fewer than two folds, or as from
            `train`.
    """
    console = console or Console()
    opened = open_network(source, architecture, data, run, workers, cache, cluster, console)
    with opened as (session, network):
        result = _train(session, network)
        if (session.run / "winners.json").exists():
            write_report(session.run)
    return result


def _train(session: Session, network: Network) -> Ensemble:
    """Train the members that are not there yet, score all together, and write `ensemble.json`."""
    group, experiment = f"{network.directory}-ensemble", session.experiment
    directory, folds = session.run / group, _folds(session.task)
    values = {**network.description, "seed": experiment.seed, "scored_on": "test"}
    jobs: dict[str, FinalTraining] = {
        f"without fold {fold}": (directory / f"fold{fold}", {**values, "fold": fold})
        for fold in folds
    }
    train_missing(session, group, jobs)
    places = [place for place, _ in jobs.values()]
    members = [str(place.absolute()) for place in places]
    job = Job(
        "ensemble",
        "kerasnas.flow.workers.jobs:ensemble",
        session.worker_arguments,
        {"members": members, "settings": values.get("settings", {})},
        directory.absolute(),
    )
    run_jobs(replace(session, cluster=None), group, [job], 1)
    result = Ensemble(
        directory,
        read_json(directory / "evaluation.json")["metrics"],
        {
            f"fold {fold}": read_json(place / "evaluation.json")["metrics"]
            for fold, place in zip(folds, places, strict=True)
        },
    )
    scored = {"metrics": result.metrics, "members": result.members}
    write_json(directory / FILE, {"schema": 1, "architecture": network.label, **scored})
    return result


def _folds(task: Task) -> list[str]:
    """Return the folds of the clips that are not tested on.

    Raises:
        KerasnasError: They are fewer than two.
    """
    tested = {int(index) for index in task.split.test}
    names = {clip.fold for index, clip in enumerate(task.clips) if index not in tested}
    folds = [fold for fold in task.clips.folds if fold in names]
    if len(folds) < 2:
        raise KerasnasError(
            f"{task.clips.root} has the folds {', '.join(folds) or 'none'} among the clips that "
            "are not tested on: an ensemble needs two or more"
        )
    return folds
