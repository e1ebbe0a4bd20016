"""Pictures of how a search went: its front, its controller, what it picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kerasnas.measures import direction
from kerasnas.report.html.elements import Markup
from kerasnas.report.html.svg import BLUE, GREEN, INK, MUTED, ORANGE, render, style
from kerasnas.report.pictures.charts import WIDTH, label_score, short
from kerasnas.words import words


def front(
    objectives: tuple[str, str],
    candidates: Sequence[tuple[float, float]],
    members: Sequence[tuple[float, float]],
    others: Mapping[str, tuple[float, float]],
) -> Markup:
    """Candidates by the second objective (across) and the first, the front as a staircase.

    The staircase bounds what the members dominate. `others` are networks from elsewhere, by name.
    """
    first, second = objectives
    ordered = np.array(sorted(members, key=lambda member: member[1]))
    with style():
        figure = Figure((WIDTH, 3.4))
        axes = figure.subplots()
        dots = np.array(candidates)
        axes.scatter(dots[:, 1], dots[:, 0], s=22, color=BLUE, alpha=0.45, linewidths=0)
        # From the better end of the second objective on, the first changes where a member lies.
        steps = "steps-post" if direction(second) == "min" else "steps-pre"
        axes.plot(
            ordered[:, 1],
            ordered[:, 0],
            color=ORANGE,
            drawstyle=steps,
            marker="D",
            markersize=6,
            markeredgecolor=INK,
            label="Pareto front",
        )
        for name, (one, other) in others.items():
            axes.plot(other, one, "^", color=GREEN, markersize=7, markeredgecolor=INK)
            axes.annotate(
                short(name, 20),
                (other, one),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        label_score(axes.yaxis, first)
        label_score(axes.xaxis, second)
        figure.legend(loc="outside upper left")
        title = f"{words(first)} against {words(second)} of every candidate, and their Pareto front"
        return render(figure, "front", title)


def controller(
    trials: Sequence[int],
    reward: Sequence[float],
    baseline: Sequence[float],
    entropy: Sequence[float],
    explored: int,
) -> Markup:
    """Reward with its baseline, and entropy in nats, at each update of a controller.

    Args:
        trials: Rewards learned from at each update.
        reward: Mean of each batch.
        baseline: What the rewards were compared with.
        entropy: Mean over each batch's decisions.
        explored: Trials after which none is drawn at random any more.
    """
    with style():
        figure = Figure((WIDTH, 4.4))
        upper, lower = figure.subplots(2, sharex=True)
        upper.plot(trials, reward, color=BLUE, marker="o", markersize=3, label="reward, batch mean")
        upper.plot(trials, baseline, color=MUTED, linestyle="--", label="baseline")
        upper.set_ylabel("reward")
        lower.plot(trials, entropy, color=ORANGE, marker="o", markersize=3)
        lower.set_ylabel("entropy, nats a decision")
        lower.set_xlabel("trials learned from")
        lower.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        for axes in (upper, lower):
            line = axes.axvline(explored, color=MUTED, linewidth=0.9, linestyle=":")
        line.set_label("exploration ends")
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, "controller", "the controller's reward and entropy over trials")


@dataclass(frozen=True)
class Picked:
    """How often each value was picked.

    Attributes:
        title: Of which trials.
        counts: `(layers, values)`.
    """

    title: str
    counts: NDArray[np.int64]


def choices(
    kind: str, layers: Sequence[str], values: Sequence[str], panels: Sequence[Picked], name: str
) -> Markup:
    """Draw counts by layer (rows) and value (columns), shaded by their share of the row."""
    with style():
        figure = Figure((WIDTH, 0.9 + 0.28 * len(layers)))
        columns = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(columns, panels, strict=True):
            shares = panel.counts / np.maximum(panel.counts.sum(axis=1, keepdims=True), 1)
            axes.grid(False)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            axes.set_xticks(range(len(values)), [short(value, 10) for value in values], fontsize=8)
            axes.set_yticks(range(len(layers)), layers, fontsize=8)
            axes.tick_params(length=0)
            axes.set_title(panel.title)
            axes.set_xlabel(words(kind))
            for (row, column), picked in np.ndenumerate(panel.counts):
                color = "white" if shares[row, column] > 0.6 else INK
                axes.text(
                    column, row, str(picked), ha="center", va="center", color=color, fontsize=8
                )
        return render(figure, name, f"how often each value of {words(kind)} was picked")
