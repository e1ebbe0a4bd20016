"""Scoring networks, whatever computes them, on clips of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.export.keras_model.recurrent import recurrent_layers
from kerasnas.files import read_json, write_json
from kerasnas.flow.task.task import Indices, Task
from kerasnas.training.examples import Examples
from kerasnas.training.metrics import Evaluation, Predict, evaluate
from kerasnas.training.recipe import Loss
from kerasnas.training.thresholds import choose

Thresholds = NDArray[np.float64]

_THRESHOLDS = "thresholds.json"


def format_metrics(metrics: Mapping[str, float | None]) -> str:
    """Return the metrics that have a value, for the screen, without `scored_classes`.

    Args:
        metrics: By name, as `evaluation.json` holds them.
    """
    return ", ".join(
        f"{name} {value:.3f}"
        for name, value in metrics.items()
        if value is not None and name != "scored_classes"
    )


def loss_of(task: Task) -> Loss:
    """The loss that the task's networks are trained by."""
    softmax = task.space.output == "softmax"
    return "categorical_crossentropy" if softmax else "binary_crossentropy"


def score(
    predict: Predict, task: Task, examples: Examples, thresholds: Thresholds | None = None
) -> Evaluation:
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
) -> Evaluation:
    """Score a Keras model."""
    return score(predictor(model), task, examples, thresholds)


def predictor(model: Any) -> Predict:
    """What computes a Keras model's scores.

    Recurrent layers are traced: without, every frame of every batch is a call of its own, which
    takes some twenty times as long. Other models answer sooner than they are traced.
    """
    if recurrent_layers(model):
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
    trained = model.suffix == ".keras"
    path = model.with_name("evaluation.json" if trained else _THRESHOLDS)
    if not path.is_file():
        return None
    data = read_json(path)
    try:
        if trained:
            values = (data["by_class"] or {}).get("threshold")
            found = {} if values is None else dict(zip(data["classes"], values, strict=True))
        else:
            found = data["thresholds"]
        if list(found) != list(classes):
            return None
        return np.array([float(value) for value in found.values()], np.float64)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise KerasnasError(f"{path} holds no threshold for each class: export again") from None


def write_thresholds(found: Thresholds | None, directory: Path, classes: Sequence[str]) -> None:
    """Write `thresholds.json` beside exported files; none where none were chosen."""
    path = directory / _THRESHOLDS
    if found is None:
        path.unlink(missing_ok=True)  # of an earlier export, of another network
        return
    by_class = dict(zip(classes, found.tolist(), strict=True))
    write_json(path, {"schema": 1, "chosen_on": "validation", "thresholds": by_class})


def to_json(result: Evaluation, task: Task, part: str) -> dict[str, Any]:
    """An evaluation as `evaluation.json` holds it.

    Args:
        result: What was scored.
        task: Names of clips and classes.
        part: Which clips these are, for people.
    """
    return {
        "schema": 1,
        "clips": part,
        "classes": list(task.clips.classes),
        "metrics": {name: _finite(value) for name, value in result.metrics.items()},
        "confusion": None if result.confusion is None else result.confusion.tolist(),
        "by_class": None
        if result.by_class is None
        else {
            name: [_finite(float(value)) for value in values]
            for name, values in result.by_class.items()
        },
        **(
            {}
            if result.channel_f1 is None
            else {"channel_f1": [_finite(float(value)) for value in result.channel_f1]}
        ),
        "count": len(result.clips),
        "predictions": [[round(float(p), 6) for p in row] for row in result.predictions],
        "labels": result.labels.astype(int).tolist(),
        "ids": [task.clips[int(index)].id for index in result.clips],
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
