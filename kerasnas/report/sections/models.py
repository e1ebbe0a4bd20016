"""How far the mean AUC of each kind of tagger spreads over what was tried of it.

Li, "Audio tagging: LSTM and gated CNN", 2018, figure 4: maximum, minimum and mean of each model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.figure import Figure

from kerasnas.report.headline import headline_gene
from kerasnas.report.html.elements import Markup, figure, note, table, tag
from kerasnas.report.html.formats import metric
from kerasnas.report.html.svg import BLUE, INK, MUTED, render, style
from kerasnas.report.pictures.charts import WIDTH, label_score
from kerasnas.report.reading import required
from kerasnas.runs.records import Evaluation
from kerasnas.runs.run import Run
from kerasnas.runs.trials import held_out_of, value_of
from kerasnas.words import words

_METRIC = "mean_auc"


def section(run: Run) -> Markup | None:
    """Maximum, mean and minimum by model; None where trials are not compared by their mean AUC."""
    if _METRIC not in run.trials.scores:
        return None
    held_out = run.trials.scores[0] == _METRIC
    found = _searched(run, held_out) | (_named(run) if held_out else {})
    if not found:
        return None
    clips = "held-out" if held_out else "validation"
    rows = [
        [name, str(len(values)), *(metric(_METRIC, value) for value in _spread(values))]
        for name, values in found.items()
    ]
    head = ["model", "trained", "maximum", "mean", "minimum"]
    caption = f"Maximum, mean and minimum of the {words(_METRIC)} on {clips} clips, by model."
    return tag(
        "div",
        figure(_picture(found), caption),
        tag(
            "div",
            table("Mean AUC by model", head, rows),
            note(
                "Candidates have the short recipe, named networks the final one, once a seed. ",
                "Classes without a positive clip are left out of every mean.",
            ),
        ),
        class_="pictures",
    )


def _searched(run: Run, held_out: bool) -> dict[str, list[float]]:
    """Mean AUC of the candidates, by the gene that tells models apart."""
    kind, found = headline_gene(run), dict[str, list[float]]()
    for trial in run.trials.completed:
        score = held_out_of(trial, _METRIC) if held_out else value_of(trial, _METRIC)
        if score is not None:
            model = None if kind is None else trial.values.get(kind)
            name = "searched" if model is None else f"searched {model}"
            found.setdefault(name, []).append(score)
    return dict(sorted(found.items()))


def _named(run: Run) -> dict[str, list[float]]:
    """Mean AUC of the trainings of each network, the winner's among them, by its name."""
    found: dict[str, list[float]] = {}
    for network in run.paths.networks():
        for training in network.tested():
            if training.evaluation.is_file():
                value = required(run, Evaluation, training.evaluation, "").metrics.get(_METRIC)
                if value is not None:
                    found.setdefault(network.label, []).append(value)
    return found


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return max(values), fmean(values), min(values)


def _picture(found: Mapping[str, Sequence[float]]) -> Markup:
    with style():
        drawn = Figure((WIDTH, 0.9 + 0.34 * len(found)))
        axes = drawn.subplots()
        for row, values in enumerate(found.values()):
            most, mean, least = _spread(values)
            axes.plot([least, most], [row, row], color=MUTED, linewidth=1.4)
            axes.plot([least, most], [row, row], "|", color=INK, markersize=9)
            axes.plot([mean], [row], "o", color=BLUE, markersize=6)
        axes.set_yticks(range(len(found)), list(found))
        axes.set_ylim(len(found) - 0.5, -0.5)
        label_score(axes.xaxis, _METRIC)
        return render(drawn, "models", f"{words(_METRIC)} of each model: from least to most, mean")
