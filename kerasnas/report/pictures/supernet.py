"""Pictures of a search on a supernet: plain numbers in, `<svg>` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kerasnas.report.html.elements import Markup
from kerasnas.report.html.svg import BLUE, INK, MUTED, ORANGE, SERIES, render, style
from kerasnas.report.pictures.charts import label_score
from kerasnas.words import words

_WIDTH = 4.8


@dataclass(frozen=True)
class Cloud:
    """Candidates of one search.

    Attributes:
        costs: `(candidates,)`, as are the others.
        scores: By the first objective.
        generation: From 0; None where there are none.
        front: Which ones no other dominates.
    """

    costs: NDArray[np.float64]
    scores: NDArray[np.float64]
    generation: NDArray[np.float64] | None
    front: NDArray[np.bool_]


class Layer(NamedTuple):
    """An option that a network takes.

    Attributes:
        axis: `time` or `frequency`, what the kernel runs along.
        kernel_size: Its length.
        expansion: Inner channels by channels of the input.
        strided: Whether it makes frames or bins fewer.
    """

    axis: str
    kernel_size: int
    expansion: int
    strided: bool


def generations(
    objective: str, cost: str, cloud: Cloud, beside: Mapping[str, Cloud], name: str
) -> Markup:
    """One search's candidates, coloured by generation; axes hold those of the other, too."""
    with style():
        figure = Figure((_WIDTH, 3.4))
        axes = figure.subplots()
        dots = axes.scatter(
            cloud.costs / _unit(cost),
            cloud.scores,
            s=14,
            c=BLUE if cloud.generation is None else cloud.generation,
            cmap=None if cloud.generation is None else "viridis",
            alpha=0.7,
            linewidths=0,
        )
        if cloud.generation is not None:
            whole = MaxNLocator(integer=True)
            figure.colorbar(dots, ax=axes, label="generation", ticks=whole)
        _frame(axes, objective, cost, beside)
        return render(figure, name, f"{words(objective)} of every candidate against {words(cost)}")


def fronts(objective: str, cost: str, clouds: Mapping[str, Cloud]) -> Markup:
    """Return the candidates that none of the same search dominates, as stairs."""
    with style():
        figure = Figure((_WIDTH, 3.4))
        axes = figure.subplots()
        for (label, cloud), color in zip(clouds.items(), SERIES, strict=False):
            order = np.argsort(cloud.costs[cloud.front], kind="stable")
            costs = cloud.costs[cloud.front][order] / _unit(cost)
            scores = cloud.scores[cloud.front][order]
            axes.step(costs, scores, "o-", where="post", markersize=4, color=color, label=label)
        _frame(axes, objective, cost, clouds)
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, "fronts", f"Pareto fronts of {words(objective)} and {words(cost)}")


def volumes(curves: Mapping[str, Sequence[tuple[int, float]]]) -> Markup:
    """Hypervolumes over the number of candidates."""
    with style():
        figure = Figure((_WIDTH, 3.0))
        axes = figure.subplots()
        for (label, curve), color in zip(curves.items(), SERIES, strict=False):
            axes.step(*zip(*curve, strict=True), where="post", color=color, label=label)
        axes.set_xlabel("candidates")
        axes.set_ylabel("hypervolume")
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, "volumes", "hypervolume over candidates")


def agreement(objective: str, pairs: Sequence[tuple[float, float]]) -> Markup:
    """Scores of networks trained from scratch against the supernet's."""
    with style():
        figure = Figure((_WIDTH, 3.4))
        axes = figure.subplots()
        supernet, alone = zip(*pairs, strict=True)
        axes.scatter(supernet, alone, s=26, color=BLUE, linewidths=0)
        label_score(axes.xaxis, objective)
        label_score(axes.yaxis, objective)
        axes.set_xlabel(f"{words(objective)} on the supernet")
        axes.set_ylabel(f"{words(objective)}, trained from scratch")
        return render(figure, "agreement", "scores of trained networks against the supernet's")


def layers(taken: Sequence[Layer]) -> Markup:
    """Return a bar for each searched layer, from the input down."""
    with style():
        figure = Figure((_WIDTH, 0.5 + 0.24 * len(taken)))
        axes = figure.subplots()
        most = max(layer.expansion for layer in taken)
        for row, layer in enumerate(taken):
            color = BLUE if layer.axis == "time" else ORANGE
            shade = 0.25 + 0.75 * layer.expansion / most
            axes.barh(row, layer.kernel_size, 0.7, color=color, alpha=shade)
            text = f"E{layer.expansion} K{layer.kernel_size}" + (" ↓" if layer.strided else "")
            axes.text(layer.kernel_size + 0.1, row, text, va="center", fontsize=8, color=INK)
        axes.set_yticks(range(len(taken)), [f"{n}" for n in range(1, len(taken) + 1)], fontsize=8)
        axes.set_xlim(0, max(layer.kernel_size for layer in taken) + 2.5)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.set_ylabel("layer", color=MUTED)
        return render(figure, "layers", "kernel size and expansion of every searched layer")


def _frame(axes: Any, objective: str, cost: str, clouds: Mapping[str, Cloud]) -> None:
    """Limits that hold all candidates of all searches, and the axes' names."""
    for axis, columns in (
        ("x", [cloud.costs / _unit(cost) for cloud in clouds.values()]),
        ("y", [cloud.scores for cloud in clouds.values()]),
    ):
        values = np.concatenate(columns)
        margin = 0.05 * float(np.ptp(values)) or 0.05
        getattr(axes, f"set_{axis}lim")(values.min() - margin, values.max() + margin)
    unit = "kB" if cost.endswith("bytes") else "millions"
    axes.set_xlabel(f"{words(cost)}, {unit}")
    label_score(axes.yaxis, objective)


def _unit(cost: str) -> float:
    return 1e3 if cost.endswith("bytes") else 1e6
