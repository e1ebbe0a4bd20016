"""Learning curves of the best candidates and of the final trainings."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

from kerasnas.report import pictures
from kerasnas.report import run as files
from kerasnas.report.formats import words
from kerasnas.report.html import Markup, figure, join, tag
from kerasnas.report.run import MissingError, Run

_CANDIDATES = 5


def section(run: Run) -> Markup:
    """For candidates and for winners: the first objective and the loss against epochs."""
    candidates = [
        (f"trial {trial.number}", run.path / "trials" / f"{trial.number:04d}")
        for trial in run.completed[:_CANDIDATES]
    ]
    try:
        winners = [
            (f"trial {w.trial} ({' and '.join(words(rule) for rule in w.rules)})", w.directory)
            for w in files.winners(run)
        ]
    except MissingError:
        winners = []
    parts = [
        _figures(run, candidates, "candidates", "The best candidates, short recipe."),
        _figures(run, winners, "winners", "The winners, trained again with the final recipe."),
    ]
    if not any(parts):
        raise MissingError("No training has left a history yet.")
    return join(parts)


def _figures(run: Run, trainings: list[tuple[str, Path]], name: str, caption: str) -> Markup | None:
    histories = [(label, files.history(run, directory)) for label, directory in trainings]
    histories = [(label, epochs) for label, epochs in histories if epochs]
    drawn = []
    for metric in dict.fromkeys((*run.objectives, "loss")):
        curves = [
            pictures.Curve(label, _values(epochs, metric), _values(epochs, f"val_{metric}"))
            for label, epochs in histories
        ]
        curves = [c for c in curves if _known(c.training) or _known(c.validation)]
        if not curves:
            continue
        validated = any(_known(curve.validation) for curve in curves)
        lines = (
            "Solid: validation clips; dotted: training (augmented as the recipe says)."
            if validated
            else "Training clips (augmented as the recipe says); none were kept back to validate."
        )
        picture = pictures.learning_curves(metric, curves, f"{name}-{metric}")
        drawn.append(figure(picture, f"{caption} {lines}"))
    return tag("div", *drawn, class_="pictures") if drawn else None


def _values(epochs: list[dict[str, float | None]], metric: str) -> list[float]:
    return [nan if (value := epoch.get(metric)) is None else value for epoch in epochs]


def _known(values: Sequence[float]) -> bool:
    return any(value == value for value in values)
