"""`kerasnas evaluate`: score a model file on clips of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kerasnas import experiment as experiments
from kerasnas.errors import DamagedError, KerasnasError, counted
from kerasnas.flow.commands.predict import front_end
from kerasnas.flow.commands.tables import figures_table
from kerasnas.flow.result import Result
from kerasnas.flow.stages.baselines import to_beat
from kerasnas.flow.task import scores
from kerasnas.flow.task.opening import read_experiment, run_of
from kerasnas.flow.task.task import Indices, Part, Task, load_task
from kerasnas.flow.task.waveform import waveforms
from kerasnas.paths import StrPath, path_or_none
from kerasnas.runs.layout import ExportPaths, RunPaths
from kerasnas.runs.records import Baselines
from kerasnas.runs.run import description_of
from kerasnas.training.scoring.metrics import ClipScores
from kerasnas.words import words


@dataclass(frozen=True, repr=False)
class Evaluated(Result):
    """Scores of a model file.

    Attributes:
        model: The file.
        part: Name of the clips.
        classes: Names of the classes.
        result: The scores.
        to_beat: What baselines score on the same clips, in words; None where it is not known.
    """

    model: Path
    part: Part
    classes: tuple[str, ...]
    result: ClipScores
    to_beat: str | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """By name."""
        return self.result.metrics

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        return {
            "model": str(self.model),
            "clips": f"{len(self.result.clips)} {self.part}",
            **{words(name): f"{value:.4f}" for name, value in self.metrics.items()},
            **({} if self.to_beat is None else {"baselines": self.to_beat}),
        }

    def table(self) -> Table:
        """For the screen."""
        title = f"{self.model} on {counted(len(self.result.clips), f'{self.part} clip')}"
        table = Table(title=Text(title, style="table.title"))
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in self.metrics.items():
            table.add_row(words(name), f"{value:.4f}")
        return table

    def class_table(self, width: int) -> RenderableType:
        """Return a row for each class, for a screen of so many columns.

        Of one label a clip: clips, recall (share of its clips that are right), precision (share of
        its answers that are right), F1, and the class that its clips are most often taken for. Of
        several: the figures of `kerasnas.training.scoring.metrics.ClipScores.by_class`.
        """
        if self.result.confusion is None:
            assert self.result.by_class is not None
            heads = ["class", *(words(name) for name in self.result.by_class)]
            columns = [
                [f"{value:.0f}" if name == "positives" else _figure(value) for value in values]
                for name, values in self.result.by_class.items()
            ]
            rows = [list(row) for row in zip(self.classes, *columns, strict=True)]
        else:
            heads = ["class", "clips", "recall", "precision", "F1", "taken for"]
            rows = _decided(self.classes, self.result.confusion)
        return figures_table(heads, rows, width)


def _decided(classes: Sequence[str], confusion: NDArray[np.int64]) -> list[list[str]]:
    right = confusion.diagonal()
    clips, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    wrong = confusion - np.diag(right)
    rows = []
    for index, name in enumerate(classes):
        other = int(wrong[index].argmax())
        rows.append(
            [
                name,
                f"{clips[index]}",
                _ratio(right[index], clips[index]),
                _ratio(right[index], answers[index]),
                _ratio(2 * right[index], clips[index] + answers[index]),
                f"{classes[other]} ({wrong[index, other]})" if wrong[index].any() else "",
            ]
        )
    return rows


def _ratio(part: float, whole: float) -> str:
    return _figure(part / whole) if whole else "-"


def _figure(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def evaluate(
    model: StrPath,
    *,
    experiment: StrPath | None = None,
    data: StrPath | None = None,
    part: Part = "test",
    cache: StrPath | None = None,
) -> Evaluated:
    """Score a `.keras` or `.tflite` file on clips of a data set.

    Args:
        model: The file.
        experiment: Data set, split and front end; by default that of the file's run directory.
        data: Directory of the data set; overrides `data.root`.
        part: Which clips of the split; for a model of `kerasnas train --folds`, of the split that
            tests on its fold.
        cache: Directory for features.

    Raises:
        KerasnasError: The file is damaged, or does not fit the data set.
    """
    model = Path(model)
    if not model.is_file():
        raise KerasnasError(f"{model} is no file: give a .keras or .tflite file")
    settings = (
        read_experiment(run_of(model)) if experiment is None else experiments.load(Path(experiment))
    )
    described = description_of(model)
    if described is not None:
        settings = settings.tuned(described.settings)
    if model.suffix == ".tflite" and ExportPaths(model.parent).front_end.exists():
        front, _ = front_end(model)
        if front != settings.features:
            raise KerasnasError(
                f"{model} was made for the front end in its features.json, which differs from "
                "the experiment's: give the experiment that it was made by"
            )
    task = load_task(settings.overridden(path_or_none(data)), path_or_none(cache))
    fold = None if described is None else described.fold
    clips = task.part(part) if fold is None else task.fold_part(part, fold)
    result = evaluate_on(model, task, clips)
    beside = None if experiment is not None else _to_beat(run_of(model), task, part, clips)
    return Evaluated(model, part, task.clips.classes, result, beside)


def _to_beat(run: Path, task: Task, part: Part, clips: Indices) -> str | None:
    """Return what a run's baselines score on the same clips; None where it does not know."""
    try:
        known = Baselines.known(RunPaths(run).baselines)
    except DamagedError:
        return None  # the file's own scores do not depend on it
    beside = None if known is None else known.parts.get(part)
    if known is None or beside is None:
        return None
    same = beside.regression.ids == tuple(task.clips[int(index)].id for index in clips)
    return to_beat(task, known, part) if same else None


def evaluate_on(model: Path, task: Task, clips: Indices) -> ClipScores:
    """Score a file on clips of a task.

    Args:
        model: A `.keras` or `.tflite` file.
        task: The task.
        clips: Indices of the clips.
    """
    from kerasnas.export import load

    network, thresholds = load(model), scores.read_thresholds(model, task.clips.classes)
    if len(network.input_shape) == 1:
        known = [network.predict(waveform[None])[0] for waveform in waveforms(task, clips)]
        segments = task.features.shape[1]
        replayed = scores.replay(np.repeat(np.array(known), segments, axis=0))
        return scores.score(replayed, task, task.examples(clips), thresholds)
    shape = task.features.shape[2:]
    if network.input_shape not in (shape, (-1, *shape[1:])):  # -1: of any number of frames
        raise KerasnasError(
            f"{model} takes inputs of {network.input_shape}, the experiment's features are "
            f"{shape}: give the experiment that it was made by"
        )
    return scores.score(network.predict, task, task.examples(clips), thresholds)
