"""`kerasnas search`: from recordings and a budget to checked files, step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from kerasnas.experiment import Experiment
from kerasnas.flow.commands.streams.tune import keep_to_rate
from kerasnas.flow.commands.trials import Plain, trial_rows
from kerasnas.flow.result import Result
from kerasnas.flow.stages import agreement, hypervolume
from kerasnas.flow.stages.baselines import measure_baselines, to_beat
from kerasnas.flow.stages.candidates import prepare_supernet, prepare_trunk, score_candidates
from kerasnas.flow.stages.export_network import export_missing
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.stages.mistakes import keep_mistakes
from kerasnas.flow.stages.recipes.choice import choose_recipe
from kerasnas.flow.stages.recipes.work import estimate
from kerasnas.flow.stages.review import review_exported
from kerasnas.flow.stages.winner_rules import choose_winners
from kerasnas.flow.stages.winner_trainings import train_winners, winner_training
from kerasnas.flow.task.opening import fit_oracle, fit_recipes, open_run
from kerasnas.flow.task.scores import format_metrics
from kerasnas.flow.task.session import Session, resolve
from kerasnas.flow.task.task import load_task
from kerasnas.flow.task.winners import read_chosen_values
from kerasnas.models.space import Values
from kerasnas.paths import StrPath, path_or_none
from kerasnas.report import write as write_report
from kerasnas.runs.directory import is_run
from kerasnas.runs.records import Evaluation, FindingEntry
from kerasnas.runs.trials import Trials
from kerasnas.tuners import Results, Trial


@dataclass(frozen=True, repr=False)
class SearchResult(Result):
    """What a search left in its run directory.

    Attributes:
        run: The run directory.
        results: All trials, as the oracle sees them.
        winner: The trial whose network was exported.
        criterion: The name of the rule that chose it.
        scores: Of the winner, trained with the final recipe, on test clips.
        to_beat: What baselines score on the same clips, in words.
        findings: What is wrong with the network and its files, serious findings first; nothing
            should be called good that has one.
        exported: Its files.
        report: The page.
    """

    run: Path
    results: Results
    winner: Trial
    criterion: str
    scores: dict[str, float]
    to_beat: str
    findings: list[FindingEntry]
    exported: Exported
    report: Path

    @property
    def trials(self) -> list[dict[str, Plain]]:
        """A row for each trial, of the same columns, as `pandas.DataFrame` takes them."""
        return trial_rows(Trials(self.results))

    @property
    def failed(self) -> bool:
        """Whether a check of the files failed that had to pass."""
        return self.exported.failed

    @property
    def good(self) -> bool:
        """Whether nothing serious speaks against the network or its files."""
        return not self.failed and not any(finding.serious for finding in self.findings)

    def headline(self) -> dict[str, str]:
        """Return the three numbers that matter, of the smallest file that is not refused."""
        return self.exported.headline()

    def data(self) -> dict[str, Any]:
        """See `Result`."""
        return {
            "run": self.run,
            "trials": len(self.results.trials),
            "chosen_by": self.criterion,
            "trial": self.winner.number,
            "values": self.winner.values,
            "scores": self.scores,
            "baselines": self.to_beat,
            "findings": self.findings,
            "exported": self.exported.data(),
            "report": self.report,
        }

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        return {
            "run": str(self.run),
            "trials": f"{len(self.results.trials)}",
            "chosen by": self.criterion,
            "trial": f"{self.winner.number}",
            "test clips": format_metrics(self.scores),
            "baselines": self.to_beat,
            **{finding.kind.replace("_", " "): finding.sentence for finding in self.findings},
            **self.exported.file_facts(),
            "report": str(self.report),
        }

    def summary(self) -> str:
        """Return a few lines for the screen, what is seriously wrong first."""
        serious = [finding.sentence for finding in self.findings if finding.serious]
        caveats = [finding.sentence for finding in self.findings if not finding.serious]
        return "\n".join(
            [
                *(f"{sentence}." for sentence in serious),
                f"Chosen by {self.criterion}: trial {self.winner.number}; on test clips "
                f"{format_metrics(self.scores)} ({self.to_beat})",
                *(f"note: {sentence}." for sentence in caveats),
                *self.exported.lines(),
                f"Report: {self.report}",
            ]
        )


def search(
    experiment: Experiment | StrPath,
    *,
    data: StrPath | None = None,
    run: StrPath | None = None,
    workers: int | None = None,
    max_trials: int | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
    cache: StrPath | None = None,
    cluster: str | None = None,
    architecture: StrPath | None = None,
    skip_corrupt: bool = False,
    console: Console | None = None,
) -> SearchResult:
    """Search, train the winners, export the chosen one, and write the report.

    What the run directory already holds is not done again: call it again to resume a search that
    was interrupted.

    Args:
        experiment: The settings, or their YAML file.
        data: Directory of the data set; overrides `KERASNAS_DATA` and `data.root`.
        run: Run directory; `runs/NAME` by default.
        workers: Number of trials at a time; overrides `search.workers`.
        max_trials: Number of candidates; overrides `search.trials`.
        seconds: Time after which no trial starts; overrides `search.hours`.
        overwrite: Delete what the run directory holds of an earlier run.
        cache: Directory for features; overrides `KERASNAS_CACHE`.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to run trials on.
        architecture: Name of a reference, or run directory of a search, whose network is kept
            while `search.tune` is searched.
        skip_corrupt: Leave damaged records of shards out, and count them.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used.
        TunerError: No candidate lies in the window, or the run is in use by another process.
        KeyboardInterrupt: As it comes; call again to resume.
    """
    console = console or Console()
    settings, directory, features = resolve(experiment, run, cache)
    settings = settings.overridden(
        path_or_none(data), workers, max_trials, seconds, _fixed(architecture), skip_corrupt
    )
    if isinstance(name := settings.search.architecture, str):
        settings.space(classes=2).reference(name)  # no features for an unknown name
    settings, said = fit_oracle(settings, directory, overwrite)
    settings, skipped = fit_recipes(settings)
    for each in filter(None, (said, skipped)):
        console.print(each, markup=False)
    with open_run(directory, settings, overwrite):
        task = load_task(settings, features, progress=console.is_terminal)
        return _search(Session(directory, task, features, cluster, console))


def _fixed(architecture: StrPath | None) -> str | Values | None:
    """Return what `search.architecture` takes, of a reference's name or a run directory."""
    if architecture is None:
        return None
    path = Path(architecture)
    return read_chosen_values(path) if is_run(path) else str(architecture)


def _search(session: Session) -> SearchResult:
    """Go through all stages of a search, in a run directory that is held."""
    run, paths, chosen = session.run, session.paths, session.experiment.choose
    _introduce(session)
    baselines = measure_baselines(session)
    session.console.print(to_beat(session.task, baselines), markup=False)
    session = choose_recipe(session)
    if not session.paths.journal.exists() and (said := estimate(session)) is not None:
        session.console.print(said)
    supernet = prepare_supernet(session)
    prepare_trunk(session)
    results = score_candidates(session, supernet)
    winners = choose_winners(results, session.experiment)
    train_winners(session, winners)
    if supernet is not None:
        agreement.measure(session)
    training = winner_training(paths, winners, chosen)
    tuned = replace(session, task=session.task.tuned(winners[chosen].values))
    train, _, test = tuned.task.final_parts(None)
    exported = export_missing(tuned, training.model, paths.export, train, test)
    winner = winners[chosen]
    if tuned.experiment.features != session.experiment.features:
        baselines = measure_baselines(tuned)
    found = review_exported(tuned, training, exported, baselines, winner.metrics)
    keep_mistakes(tuned, training, exported)
    exported = keep_to_rate(run, exported, session.console)
    hypervolume.measure(run)
    report = write_report(run)
    scores = Evaluation.read(training.evaluation).known_metrics
    beside = to_beat(tuned.task, baselines)
    return SearchResult(
        run, results, winner, chosen, scores, beside, found.told(), exported, report
    )


def _introduce(session: Session) -> None:
    """Say what the search works on, and what was left out."""
    task, console = session.task, session.console
    console.print(
        f"{session.experiment.name}: {len(task.clips)} clips of {len(task.clips.classes)} classes, "
        f"{len(task.split.train)} to train, {len(task.split.validation)} to choose by, "
        f"{len(task.split.test)} to test on; features {task.features.shape[2:]}",
        markup=False,
    )
    if session.experiment.split.validation == "test_list":
        console.print("note: architectures are chosen on the test clips: figures are optimistic")
    for note in task.clips.notes:
        console.print(f"note: {note}", markup=False)
    for message in task.clips.skipped:
        console.print(f"left out: {message}", markup=False)
    if task.clips.skipped:
        console.print(f"damaged records left out: {len(task.clips.skipped)}")
