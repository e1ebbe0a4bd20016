"""The chosen network, trained again with mined clips, and what that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kerasnas.blocks.architecture import Architecture
from kerasnas.datasets.streams.split import split_streams
from kerasnas.datasets.streams.streams import read_streams
from kerasnas.decisions.measure import change, decided
from kerasnas.errors import KerasnasError, counted
from kerasnas.export.check.paired import upper_bound
from kerasnas.flow.commands.compare import compare
from kerasnas.flow.commands.streams.mine import read_answers
from kerasnas.flow.commands.streams.page import REFUSED
from kerasnas.flow.commands.streams.scoring import open_file, score_streams
from kerasnas.flow.commands.streams.tune import streams_of, tune_decisions
from kerasnas.flow.result import Result
from kerasnas.flow.stages.export_network import export_missing
from kerasnas.flow.task.opening import open_run, read_experiment
from kerasnas.flow.task.recipes import decided as with_recipe
from kerasnas.flow.task.recipes import take_over_recipe
from kerasnas.flow.task.session import Session, resolve
from kerasnas.flow.task.task import Task, load_task
from kerasnas.flow.task.winners import describe, read_chosen
from kerasnas.flow.workers.pool import train_missing
from kerasnas.paths import StrPath, path_or_none
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import (
    Description,
    Evaluation,
    Export,
    Mined,
    StreamDecisions,
    WinnerEntry,
    Winners,
)
from kerasnas.runs.run import chosen_training

_NAME = "mined"

Change = tuple[float, float, float]
"""A difference, and the lowest and highest value of its 95 % interval."""


@dataclass(frozen=True, repr=False)
class Retrained(Result):
    """The network that was trained again, and what that changed.

    Attributes:
        run: Its run directory, for `predict`, `tune-decisions` and other commands.
        accepted: Number of mined clips it was trained on.
        before: Scores on test clips before, by name; accuracy, or mean average precision.
        after: The same afterwards.
        clips: Change of the score on test clips.
        streams: Changes on test streams, by name; empty where decisions were never tuned.
    """

    run: Path
    accepted: int
    before: float
    after: float
    clips: Change
    streams: Mapping[str, Change]

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        told = {"run": str(self.run), "mined clips": str(self.accepted)}
        told["test clips"] = f"{self.before:.3f} to {self.after:.3f}: {_interval(self.clips)}"
        return told | {
            name.replace("_", " "): _interval(each) for name, each in self.streams.items()
        }

    def table(self) -> Table:
        """Return a row for each thing that could change, for the screen."""
        title = f"trained again with {counted(self.accepted, 'mined clip')}"
        table = Table("what", "change", "95 % interval", title=title, title_justify="left")
        rows = {"score on test clips": self.clips, **self.streams}
        for name, (value, low, high) in rows.items():
            table.add_row(name.replace("_", " "), f"{value:+.3f}", f"{low:+.3f} to {high:+.3f}")
        return table


def _interval(found: Change) -> str:
    value, low, high = found
    return f"{value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"


def accept(
    run: StrPath,
    answers: StrPath,
    *,
    streams: StrPath | None = None,
    data: StrPath | None = None,
    cache: StrPath | None = None,
    console: Console | None = None,
) -> Retrained:
    """Train a run's chosen network again, with the mined clips that somebody has accepted.

    The network goes to `RUN/mined`, a run directory of its own. With one label a clip, `other`
    becomes a class unless there is one. Where decisions were tuned, they are tuned for the new
    network on the same streams, and both networks are measured on the same test streams.

    Args:
        run: Run directory in which `mine` has shown mistakes.
        answers: CSV of what they are; see `read_answers`.
        streams: Directory of streams; by default `data.streams` of the experiment.
        data: Directory of the data set; overrides `data.root`.
        cache: Directory for features.
        console: Where progress is shown.

    Raises:
        KerasnasError: The answers cannot be used, nothing is accepted, or the training failed.
    """
    run, console = Path(run), console or Console(quiet=True)
    paths, mined = RunPaths(run), read_answers(run, Path(answers))
    accepted = sum(entry.answer not in (None, REFUSED) for entry in mined.entries)
    settings, _, features = resolve(read_experiment(run), run, cache)
    settings = settings.overridden(path_or_none(data))
    named = {"mined": paths.mined_table.absolute()}
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=named)})
    again = paths.mined
    with open_run(again.path, settings, overwrite=True):
        take_over_recipe(again.path, run)
        Mined(mined.sources, ()).write(again.mined_record)  # nothing is measured on these, either
        task = load_task(with_recipe(settings, run), features, progress=console.is_terminal)
        _train(Session(again.path, task, features, None, console), read_chosen(run))
    before, after, clips = _on_clips(run, again.path, settings.data.multi_label)
    return Retrained(
        again.path, accepted, before, after, clips, _on_streams(run, again.path, streams, console)
    )


def _train(session: Session, chosen: Description) -> None:
    """Train and export the network, with an output for each class that there is now."""
    task = session.task.tuned(chosen.settings)
    network = _network(task, chosen)
    described = describe(
        task.experiment,
        network,
        chosen.settings,
        trial=chosen.trial,
        values=chosen.values,
        cost=network.cost().to_json(),
    )
    session = Session(session.run, task, session.cache, None, session.console)
    training = session.paths.winner(_NAME)
    train_missing(session, "winners", {_NAME: (training, described)})
    directory = training.path.relative_to(session.run).as_posix()
    entry = WinnerEntry(chosen.trial or 0, directory, "trained again with mined clips", None)
    Winners({_NAME: entry}, _NAME).write(session.paths.winners)
    train, _, test = task.final_parts(None)
    export_missing(session, training.model, session.paths.export, train, test)


def _network(task: Task, chosen: Description) -> Architecture:
    known = Architecture.from_json(chosen.architecture)
    classes = len(task.clips.classes)
    if known.ops[-1].output_shape == (classes,):
        return known
    if chosen.values is None:
        raise KerasnasError(
            "the chosen network has no values to make it again with another class: label the mined "
            "clips as classes that it has"
        )
    return task.experiment.architecture(dict(chosen.values), classes)


def _on_clips(run: Path, again: Path, multi_label: bool) -> tuple[float, float, Change]:
    """Return the score on the same test clips before and after, and its change."""
    if multi_label:
        found = compare(run, again)
        return *found.scores, (found.difference, *found.interval)
    one, other = (Evaluation.read(chosen_training(path).evaluation) for path in (run, again))
    right = []
    for each in (one, other):
        names = np.array(each.classes)
        answers = names[each.predictions.argmax(axis=1)] == names[each.labels.argmax(axis=1)]
        by_id = dict(zip(each.ids, answers.tolist(), strict=True))
        right.append(np.array([by_id[id] for id in one.ids], np.float64))
    gained = right[1] - right[0]
    interval = -upper_bound(-gained, 0.975), upper_bound(gained, 0.975)
    before, after = (float(each.mean()) for each in right)
    return before, after, (after - before, *interval)


def _on_streams(
    run: Path, again: Path, streams: StrPath | None, console: Console
) -> dict[str, Change]:
    """Return what changed on test streams, under decisions that were chosen for either network."""
    measured = StreamDecisions.known(RunPaths(run).streams)
    if measured is None:
        return {}
    root = streams_of(run, streams)
    float16 = Export.read(RunPaths(run).export.report).files.get("float16")
    tuned = tune_decisions(
        again,
        streams=root,
        per_hour=measured.asked,
        hop_seconds=measured.settings.hop_seconds,
        precision="float16" if float16 and float16.file == measured.file else "int8",
        console=console,
    )
    test = split_streams(read_streams(root), read_experiment(run).seed).part("test")
    found = []
    scored = []
    for path, record in ((run, measured), (again, tuned.record)):
        settings = record.settings
        file = RunPaths(path).export.path / record.file
        predictor, hop = open_file(file, settings.hop_seconds)
        scored = score_streams(predictor, test, hop, console)
        found.append(decided(scored, predictor.classes, settings))
    labels = tuple(record.by_class)
    before, after = found
    return change(scored, labels, before, after)
