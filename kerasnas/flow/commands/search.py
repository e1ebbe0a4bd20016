"""`kerasnas search`: from recordings and a budget to checked files, step by step."""

from __future__ import annotations

import functools
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.files import read_json, write_json
from kerasnas.flow.commands.export import Exported, export_missing
from kerasnas.flow.opening import EXPERIMENT, open_run, resolved
from kerasnas.flow.stages import agreement, hypervolume, trials
from kerasnas.flow.stages.limits import Sizes
from kerasnas.flow.stages.start import begun, rehearse
from kerasnas.flow.stages.supernet import prepare
from kerasnas.flow.stages.winner_rules import in_words
from kerasnas.flow.stages.winner_rules import winners as choose
from kerasnas.flow.task import task
from kerasnas.flow.task.scores import listed
from kerasnas.flow.task.task import Task
from kerasnas.flow.task.winners import chosen_values, describe
from kerasnas.flow.workers.display import Display
from kerasnas.flow.workers.folds import FoldRunner, mean_of_folds
from kerasnas.flow.workers.pool import make_ready, run_finals, runner
from kerasnas.models.space import Values
from kerasnas.report import write as write_report
from kerasnas.tuners import MedianStop, SearchError, Trial
from kerasnas.tuners.loop import run as run_loop
from kerasnas.tuners.runners.base import Job, Runner


@dataclass(frozen=True)
class SearchResult:
    """What a search left in its run directory."""

    run: Path
    winner: Trial
    criterion: str
    scores: dict[str, float]
    exported: Exported
    report: Path

    def summary(self) -> str:
        """A few lines for the screen."""
        return "\n".join(
            [
                f"Chosen by {self.criterion}: trial {self.winner.number}; on test clips "
                f"{listed(self.scores)}",
                *self.exported.lines(),
                f"Report: {self.report}",
            ]
        )


def search(
    experiment: Experiment | Path | str,
    *,
    data: Path | None = None,
    run: Path | None = None,
    workers: int | None = None,
    max_trials: int | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
    cache: Path | None = None,
    cluster: str | None = None,
    architecture: str | None = None,
    skip_corrupt: bool = False,
    console: Console | None = None,
) -> SearchResult:
    """Search, train the winners, export the chosen one, and write the report.

    What the run directory already holds is not done again, so that a search that was interrupted
    goes on by the same call.

    Args:
        experiment: The settings, or their YAML file.
        data: Directory of the data set; comes before `KERASNAS_DATA` and the experiment's root.
        run: Run directory; `runs/NAME` by default.
        workers: Trials side by side; comes before the experiment's number.
        max_trials: Candidates; likewise.
        seconds: After which no trial starts; likewise.
        overwrite: Delete what the run directory holds of an earlier run.
        cache: Directory for features; comes before `KERASNAS_CACHE`.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to run trials on.
        architecture: Name of a reference, or run directory of a search, whose network is kept
            while `search.tune` is searched.
        skip_corrupt: Leave damaged records of shards out, and count them.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used.
        TunerError: No candidate lies in the window, or the run is in use by another process.
        KeyboardInterrupt: As it comes; the same call goes on.
    """
    console = console or Console()
    experiment, run, cache = resolved(experiment, run, cache)
    fixed: str | Values | None = architecture
    if architecture is not None and (Path(architecture) / EXPERIMENT).is_file():
        fixed = chosen_values(Path(architecture))
    experiment = experiment.overridden(data, workers, max_trials, seconds, fixed, skip_corrupt)
    with open_run(run, experiment, overwrite):
        return _search_in(run, experiment, cache, cluster, console)


def _search_in(
    run: Path, experiment: Experiment, cache: Path, cluster: str | None, console: Console
) -> SearchResult:
    loaded = task.load(experiment, cache, progress=console.is_terminal)
    console.print(
        f"{experiment.name}: {len(loaded.clips)} clips of {len(loaded.clips.classes)} classes, "
        f"{len(loaded.split.train)} to train, {len(loaded.split.validation)} to choose by, "
        f"{len(loaded.split.test)} to test on; features {loaded.features.shape[2:]}"
    )
    for message in loaded.clips.skipped:
        console.print(f"left out: {message}", markup=False)
    if loaded.clips.skipped:
        console.print(f"damaged records left out: {len(loaded.clips.skipped)}")
    supernet = inherited_from(run, loaded, cache, console)
    winners = find(run, loaded, cache, cluster, console, supernet)
    chosen = experiment.choose
    _train_winners(run, loaded, winners, cache, cluster, console)
    if supernet is not None:
        agreement.measure(run, loaded, cache, console, cluster)
    directory = run / winners_directory(winners, chosen)
    loaded = loaded.tuned(winners[chosen].values)
    train, _, test = loaded.final_parts(None)
    model = directory / "model.keras"
    exported = export_missing(model, run / "export", loaded, train, test, console)
    hypervolume.measure(run)
    report = write_report(run)
    metrics = read_json(directory / "evaluation.json")["metrics"]
    scores = {name: value for name, value in metrics.items() if value is not None}
    return SearchResult(run, winners[chosen], chosen, scores, exported, report)


def inherited_from(run: Path, loaded: Task, cache: Path, console: Console) -> Path | None:
    """The file of the supernet whose weights candidates inherit, trained here if need be.

    Args:
        run: The run directory of the search.
        loaded: The task.
        cache: Directory for features.
        console: Where progress is shown.

    Returns:
        None for a search that trains every candidate.

    Raises:
        KerasnasError: As from `prepare`, or what is enqueued is no candidate.
        TunerError: No candidate lies in the window.
    """
    if loaded.experiment.search.supernet is None:
        return None
    rehearse(loaded)
    return prepare(run, loaded, cache, console)


def find(
    run: Path,
    loaded: Task,
    cache: Path,
    cluster: str | None,
    console: Console,
    supernet: Path | None = None,
) -> dict[str, Trial]:
    """Score candidates until the search is done, and return those that the rules choose.

    Args:
        run: The run directory.
        loaded: The task.
        cache: Directory for features.
        cluster: Of a Ray cluster to run trials on.
        console: Where progress is shown.
        supernet: File whose weights candidates inherit; None trains each of them.

    Raises:
        KerasnasError: No candidate was scored, or none keeps a winner's limits.
        TunerError: As from `Search`.
    """
    experiment, settings = loaded.experiment, loaded.experiment.search
    stop = None
    if settings.stop_hopeless:
        first = max(1, experiment.training.candidate.epochs // 3)
        stop = MedianStop(metric="val_loss", direction="min", first_step=first)

    sizes = Sizes(loaded)
    with begun(loaded, sizes, run, supernet) as engine:
        arguments = {"run": str(run.absolute()), "cache": str(cache)}

        def job(trial: Trial) -> Job:
            if supernet is not None:
                factory, inherited = (
                    "kerasnas.flow.stages.supernet:candidate",
                    {"supernet": str(supernet)},
                )
                values, limit = dict(trial.values), settings.trial_seconds
                return Job(trial.id, factory, arguments | inherited, values, time_limit=limit)
            return Job(
                trial.id,
                "kerasnas.flow.workers.jobs:candidate",
                arguments,
                dict(trial.values),
                run.absolute() / "trials" / trial.id,
                settings.trial_seconds,
            )

        book = trials.Book(run, engine, loaded)
        left = settings.trials - len(engine.trials) + len(engine.history.waiting)
        with (
            closing(book),
            _runner(loaded, cluster, max(1, left), supernet is not None) as workers,
            Display(console, engine, settings.trials, workers.slots) as display,
        ):

            def on_event(event: Any) -> None:
                display(event)
                book.on_event(event)

            try:
                run_loop(engine, workers, job, on_event=on_event, median_stop=stop)
            except SearchError as error:
                raise SearchError(sizes.explained(str(error))) from error
        completed = len(engine.history.completed())
        if completed < settings.trials:
            console.print(
                f"{completed} of {settings.trials} trials have a score: {engine.finished}.",
                markup=False,
            )
        if not engine.ranking():
            raise KerasnasError(
                f"no candidate was trained: {engine.finished}; `kerasnas trials {run}` lists why"
            )
        return choose(engine, experiment)


def _runner(loaded: Task, cluster: str | None, candidates: int, resident: bool) -> Runner:
    """What runs so many candidates, or the folds of each side by side."""
    experiment = loaded.experiment
    if resident or not experiment.search.spread_folds:
        return runner(experiment, cluster, candidates, resident)
    folds = list(loaded.candidate_parts())
    workers = runner(experiment, cluster, candidates * len(folds))
    combine = functools.partial(mean_of_folds, experiment)
    return FoldRunner(workers, "kerasnas.flow.workers.jobs:fold", folds, combine)


def winners_directory(winners: dict[str, Trial], criterion: str) -> str:
    """Where a winner's files are; one trial that wins by two criteria has one directory."""
    first = next(name for name in winners if winners[name].id == winners[criterion].id)
    return f"winners/{first}"


def _train_winners(
    run: Path,
    loaded: Task,
    winners: dict[str, Trial],
    cache: Path,
    cluster: str | None,
    console: Console,
) -> None:
    experiment = loaded.experiment
    jobs = {}
    for criterion, trial in winners.items():
        directory = run / winners_directory(winners, criterion)
        architecture = loaded.architecture(trial.values)
        tuned = {name: trial.values[name] for name in experiment.search.tune}
        description = {
            **describe(experiment.tuned(tuned), architecture, tuned),
            "trial": trial.number,
            "values": dict(trial.values),
            "cost": architecture.cost().to_json(),
        }
        if make_ready(directory, description):
            values = {**description, "seed": experiment.seed, "fold": None}
            jobs[directory.name] = (directory, values)
    if jobs:
        same = {
            first: [name for name in winners if winners[name].id == winners[first].id]
            for first in jobs
        }
        names = " and ".join(
            f"trial {winners[first].number} ({', '.join(by)})" for first, by in same.items()
        )
        console.print(f"Training {names} with the final recipe ...")
        if not experiment.search.tune:  # new clips are made here, where one sees it
            loaded.examples(loaded.final_parts(None)[0], experiment.training.final)
        run_finals(run, experiment, jobs, cache, console, cluster)
    write_json(
        run / "winners.json",
        {
            "schema": 1,
            **{
                criterion: {
                    "trial": trial.number,
                    "directory": winners_directory(winners, criterion),
                    "rule": in_words(experiment.winners[criterion], experiment),
                }
                for criterion, trial in winners.items()
            },
            "chosen": experiment.choose,
            "rule": in_words(experiment.winners[experiment.choose], experiment),
        },
    )
