"""Learning curves of the best candidates, of the final trainings, and against named networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, Node, figure, join, table, tag
from kerasnas.report.html.formats import metric as formatted
from kerasnas.report.html.formats import words
from kerasnas.report.pictures import charts
from kerasnas.report.run import MissingError, Run
from kerasnas.report.sections.compared import networks
from kerasnas.report.sections.statistics import best_epoch, first_reaching

_CANDIDATES = 5


def section(run: Run) -> Markup:
    """Objectives and loss against epochs: of candidates, of winners, and beside other networks."""
    candidates = [_candidate(run, trial.number) for trial in run.completed[:_CANDIDATES]]
    try:
        winners = [
            (f"trial {w.trial} ({' and '.join(words(rule) for rule in w.rules)})", w.directory)
            for w in files.winners(run)
        ]
    except MissingError:
        winners = []
    parts = [
        _figures(run, candidates, "candidates", "The best candidates, short recipe."),
        _figures(run, winners, "winners", "The winners, trained with the final recipe."),
        _against_others(run),
    ]
    if not any(parts):
        raise MissingError("No training has left a history yet.")
    return join(parts)


def _candidate(run: Run, number: int) -> tuple[str, Path]:
    """A trial's name, and where its training's history is: that of the first fold, with folds."""
    directory = run.path / "trials" / f"{number:04d}"
    folds = sorted(path.parent for path in directory.glob("fold*/history.json"))
    if not folds:
        return f"trial {number}", directory
    return f"trial {number}, fold {folds[0].name.removeprefix('fold')}", folds[0]


def _against_others(run: Run) -> Markup | None:
    """The searched network beside named ones (Liu & Zhang 2020, figures 4 and 5)."""
    trained = [network for network in networks(run) if network.trainings]
    if len(trained) < 2 or not any(network.searched for network in trained):
        return None
    trainings = [(network.name, network.trainings[0]) for network in trained]
    caption = "The searched network and named ones, final recipe, first seed."
    figures = _figures(run, trainings, "compared", caption, ("accuracy",))
    if figures is None:
        return None
    baselines = [network.name for network in trained if not network.searched]
    histories = {label: files.history(run, directory) for label, directory in trainings}
    measured = dict.fromkeys(("accuracy", *run.objectives, "loss"))
    tables = [_epochs_to_reach(histories, baselines, metric) for metric in measured]
    return join([figures, *tables])


def _epochs_to_reach(
    histories: Mapping[str, list[dict[str, float | None]]], baselines: list[str], metric: str
) -> Markup | None:
    """In which epoch each network is as good as each baseline ever gets, on validation clips."""
    curves = {name: _values(epochs, f"val_{metric}") for name, epochs in histories.items()}
    best = {name: best_epoch(values, metric) for name, values in curves.items()}
    goals = {
        name: curves[name][epoch - 1] for name in baselines if (epoch := best[name]) is not None
    }
    if not goals:
        return None
    rows: list[list[Node]] = []
    for name, values in curves.items():
        if (epoch := best[name]) is not None:
            reached = (first_reaching(values, goal, metric) for goal in goals.values())
            rows.append(
                [
                    name,
                    str(len(values)),
                    f"{formatted(metric, values[epoch - 1])} in epoch {epoch}",
                    *("not reached" if found is None else str(found) for found in reached),
                ]
            )
    return table(
        f"Epochs until validation {words(metric)} is as good as a named network's best",
        ["network", "epochs trained", "best", *(f"until {name}'s best" for name in goals)],
        rows,
    )


def _figures(
    run: Run,
    trainings: list[tuple[str, Path]],
    name: str,
    caption: str,
    further: tuple[str, ...] = (),
) -> Markup | None:
    histories = [(label, files.history(run, directory)) for label, directory in trainings]
    histories = [(label, epochs) for label, epochs in histories if epochs]
    drawn = []
    for metric in dict.fromkeys((*further, *run.objectives, "loss")):
        curves = [
            charts.Curve(label, _values(epochs, metric), _values(epochs, f"val_{metric}"))
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
        picture = charts.learning_curves(metric, curves, f"{name}-{metric}")
        drawn.append(figure(picture, f"{caption} {lines}"))
    return tag("div", *drawn, class_="pictures") if drawn else None


def _values(epochs: list[dict[str, float | None]], metric: str) -> list[float]:
    return [nan if (value := epoch.get(metric)) is None else value for epoch in epochs]


def _known(values: Sequence[float]) -> bool:
    return any(value == value for value in values)
