"""Learning curves of the best candidates, of the final trainings, and against named networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

from kerasnas.report.html.elements import Markup, Node, figure, join, note, table, tag
from kerasnas.report.html.formats import metric as formatted
from kerasnas.report.html.formats import words
from kerasnas.report.networks import networks
from kerasnas.report.pictures import charts
from kerasnas.report.reading import MissingError, optional, training_of, winners
from kerasnas.report.statistics import best_epoch, first_reaching
from kerasnas.runs.layout import TrainingPaths
from kerasnas.runs.records import EpochTable
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial
from kerasnas.runs.values import Figures

_CANDIDATES = 5


def section(run: Run) -> Markup:
    """Objectives and loss against epochs: of candidates, of winners, and beside other networks."""
    candidates = [_candidate(run, trial) for trial in run.trials.completed[:_CANDIDATES]]
    try:
        finals = [
            (f"trial {w.trial} ({' and '.join(words(n) for n in w.names)})", training_of(run, w))
            for w in winners(run)
        ]
    except MissingError:
        finals = []
    damage: dict[str, None] = {}
    parts = [
        _figures(run, candidates, "candidates", "The best candidates, short recipe.", damage),
        _figures(run, finals, "winners", "The winners, trained with the final recipe.", damage),
        _against_others(run, damage),
    ]
    if not any(parts) and not damage:
        raise MissingError("No training has left a history yet.")
    return join([*parts, *(note(reason) for reason in damage)])


def _candidate(run: Run, trial: Trial) -> tuple[str, TrainingPaths]:
    """Return a trial's name, and its training: that of the first fold, with folds."""
    training = run.paths.trial(trial.id)
    for name, fold in training.folds().items():
        if fold.history.is_file():
            return f"trial {trial.number}, fold {name}", fold
    return f"trial {trial.number}", training


def _against_others(run: Run, damage: dict[str, None]) -> Markup | None:
    """Return the searched network beside named ones (Liu & Zhang 2020, figures 4 and 5)."""
    trained = [network for network in networks(run) if network.trainings]
    if len(trained) < 2 or not any(network.searched for network in trained):
        return None
    trainings = [(network.name, network.trainings[0]) for network in trained]
    caption = "The searched network and named ones, final recipe, first seed."
    figures = _figures(run, trainings, "compared", caption, damage, ("accuracy",))
    if figures is None:
        return None
    baselines = [network.name for network in trained if not network.searched]
    histories = {label: _epochs(run, training, damage) for label, training in trainings}
    measured = dict.fromkeys(("accuracy", *run.trials.scores, "loss"))
    tables = [_epochs_to_reach(histories, baselines, metric) for metric in measured]
    return join([figures, *tables])


def _epochs_to_reach(
    histories: Mapping[str, Sequence[Figures]], baselines: list[str], metric: str
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
    trainings: list[tuple[str, TrainingPaths]],
    name: str,
    caption: str,
    damage: dict[str, None],
    further: tuple[str, ...] = (),
) -> Markup | None:
    """Curves of those trainings whose history can be read; why others cannot goes to `damage`."""
    histories = [(label, _epochs(run, training, damage)) for label, training in trainings]
    histories = [(label, epochs) for label, epochs in histories if epochs]
    drawn = []
    for metric in dict.fromkeys((*further, *run.trials.scores, "loss")):
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


def _epochs(run: Run, training: TrainingPaths, damage: dict[str, None]) -> tuple[Figures, ...]:
    """Return the epochs of a training; none where they were not kept, or are damaged."""
    try:
        history = optional(run, EpochTable, training.history)
    except MissingError as missing:
        damage[str(missing)] = None
        return ()
    return () if history is None else history.epochs


def _values(epochs: Sequence[Figures], metric: str) -> list[float]:
    return [nan if (value := epoch.get(metric)) is None else value for epoch in epochs]


def _known(values: Sequence[float]) -> bool:
    return any(value == value for value in values)
