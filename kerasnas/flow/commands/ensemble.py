"""`kerasnas train --ensemble`: a network trained once a fold, and the mean of all answers.

Li et al., Interspeech 2020, section 3.2: four models, each trained without one of the official
folds, answer together on the evaluation set: a clip's scores are the mean of their posteriors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasnas.errors import KerasnasError
from kerasnas.files import digest
from kerasnas.flow.commands.train import NetworkToTrain, open_network
from kerasnas.flow.result import Result
from kerasnas.flow.task.scores import format_metrics
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.flow.workers.pool import FinalTraining, run_jobs, train_missing
from kerasnas.paths import StrPath
from kerasnas.report import write as write_report
from kerasnas.runs.records import Ensemble, Evaluation
from kerasnas.runs.values import Figures
from kerasnas.tuners.runners.base import Job
from kerasnas.words import words


@dataclass(frozen=True, repr=False)
class TrainedEnsemble(Result):
    """An ensemble and its members, scored on the test clips.

    Attributes:
        directory: Holds every member's directory and `evaluation.json`.
        scores: What all of them score.
    """

    directory: Path
    scores: Ensemble

    @property
    def metrics(self) -> Figures:
        """Metrics of the ensemble."""
        return self.scores.metrics

    @property
    def members(self) -> Mapping[str, Figures]:
        """Metrics of each member, by the fold that it was not trained on."""
        return self.scores.members

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        members, metrics = len(self.members), format_metrics(self.metrics)
        return {"directory": str(self.directory), "members": f"{members}", "test clips": metrics}

    def table(self) -> Table:
        """For the screen."""
        table = Table(title=Text(f"{self.directory.name} on the test clips", style="table.title"))
        table.add_column("trained without")
        for name in self.metrics:
            table.add_column(words(name), justify="right")
        for label, metrics in {**self.members, "ensemble": self.metrics}.items():
            shown = ("" if value is None else f"{value:.4f}" for value in metrics.values())
            table.add_row(Text(label), *shown)
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
) -> TrainedEnsemble:
    """Train a network without each of the folds in turn, and score all together.

    Arguments are those of `commands.train.train`. Members that the run directory already holds
    are not trained again, and what the same members scored is kept.

    Raises:
        KerasnasError: The clips that are not tested on have fewer than two folds, or as from
            `train`.
    """
    console = console or Console()
    with open_network(source, architecture, data, run, workers, cache, cluster, console) as (
        session,
        network,
    ):
        result = _train(session, network)
        if session.paths.winners.exists():
            write_report(session.run)
    return result


def _train(session: Session, network: NetworkToTrain) -> TrainedEnsemble:
    """Train the members that are not there yet, score all together, and write `ensemble.json`.

    What the same members scored before is kept.
    """
    paths, folds = session.paths.ensemble(network.label), _folds(session.task)
    group = f"{network.group}-ensemble"
    described = replace(network.description, seed=session.experiment.seed, scored_on="test")
    jobs: dict[str, FinalTraining] = {
        f"without fold {fold}": (paths.member(fold), replace(described, fold=fold))
        for fold in folds
    }
    train_missing(session, group, jobs)
    members = {f"fold {fold}": paths.member(fold) for fold in folds}
    models = {name: digest(member.model) for name, member in members.items()}
    known = session.intact(Ensemble, paths.scores)
    if known is not None and known.models != models:
        known = None
    if known is not None and session.intact(Evaluation, paths.evaluation) is not None:
        return TrainedEnsemble(paths.path, known)
    job = Job(
        "ensemble",
        "kerasnas.flow.workers.jobs:ensemble",
        session.worker_arguments,
        {
            "members": [str(member.path.absolute()) for member in members.values()],
            "settings": dict(described.settings),
        },
        paths.path.absolute(),
    )
    run_jobs(replace(session, cluster=None), group, [job], 1)
    scores = Ensemble(
        network.label,
        Evaluation.read(paths.evaluation).metrics,
        {name: Evaluation.read(each.evaluation).metrics for name, each in members.items()},
        models,
    )
    scores.write(paths.scores)
    return TrainedEnsemble(paths.path, scores)


def _folds(task: Task) -> list[str]:
    """Return the folds of the clips that are not tested on.

    Raises:
        KerasnasError: They are fewer than two.
    """
    tested = {int(index) for index in task.split.test}
    names = {clip.fold for index, clip in enumerate(task.folded) if index not in tested}
    folds = [fold for fold in task.folded.folds if fold in names]
    if len(folds) < 2:
        raise KerasnasError(
            f"{task.clips.root} has the folds {', '.join(folds) or 'none'} among the clips that "
            "are not tested on: an ensemble needs two or more"
        )
    return folds
