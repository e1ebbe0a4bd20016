"""Scoring networks, whatever computes them, on clips of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.keras_model.recurrent import recurrent_layers
from kerasnas.flow.task.task import Indices, Task
from kerasnas.runs import records
from kerasnas.runs.layout import ExportPaths, TrainingPaths
from kerasnas.training.examples import Examples
from kerasnas.training.recipe import Loss
from kerasnas.training.scoring.metrics import ClipScores, Predict, evaluate
from kerasnas.training.scoring.thresholds import choose
from kerasnas.words import words

Thresholds = NDArray[np.float64]


def format_metrics(metrics: Mapping[str, float | None]) -> str:
    """Return the metrics that have a value, for the screen, without `scored_classes`.

    Args:
        metrics: By name, as `evaluation.json` holds them.
    """
    return ", ".join(
        f"{words(name)} {value:.3f}"
        for name, value in metrics.items()
        if value is not None and name != "scored_classes"
    )


def loss_of(task: Task) -> Loss:
    """Return the loss that the task's networks are trained by."""
    softmax = task.space.output == "softmax"
    return "categorical_crossentropy" if softmax else "binary_crossentropy"


def score(
    predict: Predict, task: Task, examples: Examples, thresholds: Thresholds | None = None
) -> ClipScores:
    """Score clips by the mean over their segments."""
    return evaluate(
        predict,
        examples,
        multi_label=task.clips.multi_label,
        loss=loss_of(task),
        batch_size=task.experiment.training.final.batch_size,
        thresholds=thresholds,
    )


def replay(known: NDArray[np.float32]) -> Predict:
    """Return known scores as a network that answers with them, in the order of the examples."""
    handed = 0

    def predict(x: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal handed
        start, handed = handed, handed + len(x)
        return known[start:handed]

    return predict


def score_model(
    model: Any, task: Task, examples: Examples, thresholds: Thresholds | None = None
) -> ClipScores:
    """Score a Keras model."""
    return score(predictor(model), task, examples, thresholds)


def predictor(model: Any) -> Predict:
    """Return what computes a Keras model's scores.

    Recurrent layers are traced: without, every frame of every batch is a call of its own, which
    takes some twenty times as long. Other models answer sooner than they are traced.
    """
    if recurrent_layers(model):
        model.jit_compile = False  # XLA would compile for longer than it saves
        return model.predict_on_batch
    return lambda x: model(x, training=False)


def choose_thresholds(model: Any, task: Task, validation: Indices) -> Thresholds | None:
    """Choose on validation clips from which score on each class counts as heard.

    None for one label per clip, and where no clips were set aside.
    """
    if not task.clips.multi_label or not len(validation):
        return None
    found = score_model(model, task, task.examples(validation))
    return choose(found.labels, found.predictions)


def read_thresholds(model: Path, classes: Sequence[str]) -> Thresholds | None:
    """Return the thresholds that were chosen when a network was trained, `(classes,)`.

    Args:
        model: A `.keras` file, beside the `evaluation.json` of its training, or a `.tflite` file,
            beside the `thresholds.json` of its export.
        classes: In the order of the scores.

    Returns:
        None where none were chosen, or for other classes.

    Raises:
        KerasnasError: They are damaged.
    """
    if model.suffix == ".keras":
        path = TrainingPaths(model.parent).evaluation
        trained = records.Evaluation.read(path) if path.is_file() else None
        if trained is None or trained.classes != tuple(classes):
            return None
        return (trained.by_class or {}).get("threshold")
    path = ExportPaths(model.parent).thresholds
    return records.Thresholds.read(path).of_classes(tuple(classes)) if path.is_file() else None


def write_thresholds(found: Thresholds | None, export: ExportPaths, classes: Sequence[str]) -> None:
    """Write `thresholds.json` beside exported files; none where none were chosen."""
    if found is None:
        export.thresholds.unlink(missing_ok=True)  # of an earlier export, of another network
        return
    by_class = dict(zip(classes, found.tolist(), strict=True))
    records.Thresholds("validation", by_class).write(export.thresholds)


def record(result: ClipScores, task: Task, part: str) -> records.Evaluation:
    """Return an evaluation as `evaluation.json` holds it.

    Args:
        result: What was scored.
        task: Names of clips and classes.
        part: Which clips these are, for people.
    """
    return records.Evaluation(
        clips=part,
        classes=tuple(task.clips.classes),
        metrics=result.metrics,
        confusion=result.confusion,
        by_class=result.by_class,
        channel_f1=result.channel_f1,
        count=len(result.clips),
        predictions=result.predictions.astype(np.float64).round(6),
        labels=result.labels.astype(np.int64),
        ids=tuple(task.clips[int(index)].id for index in result.clips),
    )
