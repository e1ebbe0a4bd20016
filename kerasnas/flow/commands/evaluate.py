"""`kerasnas evaluate`: score a model file on clips of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from kerasnas import experiment as experiments
from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.predict import front_end
from kerasnas.flow.opening import read_experiment, run_of
from kerasnas.flow.task import scores, task
from kerasnas.flow.task.task import Indices, Part, Task
from kerasnas.flow.task.waveform import waveforms
from kerasnas.flow.task.winners import description_of
from kerasnas.training.metrics import Evaluation


@dataclass(frozen=True)
class Evaluated:
    """Scores of a model file."""

    model: Path
    part: Part
    classes: tuple[str, ...]
    result: Evaluation

    @property
    def metrics(self) -> dict[str, float]:
        """By name."""
        return self.result.metrics

    def table(self) -> Table:
        """For the screen."""
        table = Table(title=f"{self.model} on {len(self.result.clips)} {self.part} clips")
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in self.metrics.items():
            table.add_row(name.replace("_", " "), f"{value:.4f}")
        return table


def evaluate(
    model: Path,
    *,
    experiment: Path | None = None,
    data: Path | None = None,
    part: Part = "test",
    cache: Path | None = None,
) -> Evaluated:
    """Score a `.keras` or `.tflite` file on clips of a data set.

    Args:
        model: The file.
        experiment: Data set, split and front end; by default that of the file's run directory.
        data: Directory of the data set, instead of the experiment's.
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
        read_experiment(run_of(model)) if experiment is None else experiments.load(experiment)
    )
    described = description_of(model)
    settings = settings.tuned(described.get("settings", {}))
    if model.suffix == ".tflite" and (model.parent / "features.json").exists():
        front, _ = front_end(model)
        if front != settings.features:
            raise KerasnasError(
                f"{model} was made for the front end in its features.json, which differs from "
                "the experiment's: give the experiment that it was made by"
            )
    loaded = task.load(settings.overridden(data), cache)
    fold = described.get("fold")
    clips = loaded.part(part) if fold is None else loaded.fold_part(part, fold)
    result = evaluate_on(model, loaded, clips)
    return Evaluated(model, part, loaded.clips.classes, result)


def evaluate_on(model: Path, loaded: Task, clips: Indices) -> Evaluation:
    """Score a file on clips of a task.

    Args:
        model: A `.keras` or `.tflite` file.
        loaded: The task.
        clips: Indices of the clips.
    """
    from kerasnas.export import load

    network, thresholds = load(model), scores.known_thresholds(model, loaded.clips.classes)
    if len(network.input_shape) == 1:
        known = [network.predict(waveform[None])[0] for waveform in waveforms(loaded, clips)]
        segments = loaded.features.shape[1]
        replayed = scores.replayed(np.repeat(np.array(known), segments, axis=0))
        return scores.score(replayed, loaded, loaded.examples(clips), thresholds)
    shape = loaded.features.shape[2:]
    if network.input_shape not in (shape, (-1, *shape[1:])):  # -1: of any number of frames
        raise KerasnasError(
            f"{model} takes inputs of {network.input_shape}, the experiment's features are "
            f"{shape}: give the experiment that it was made by"
        )
    return scores.score(network.predict, loaded, loaded.examples(clips), thresholds)
