"""The report's pictures: plain numbers in, `<svg>` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kerasnas.report.html.elements import Markup
from kerasnas.report.html.formats import metric, percent
from kerasnas.report.html.svg import BLUE, GREEN, INK, MUTED, ORANGE, SERIES, render, style
from kerasnas.words import words

WIDTH = 4.8  # inches of 96 pixels: still legible on a telephone's 360 pixels
_CELLS_WITH_NUMBERS = 15


@dataclass(frozen=True)
class Mark:
    """A candidate that stands out: its size in bytes, its score, what is written beside it."""

    size: float
    score: float
    label: str


def score_against_size(
    objective: str,
    sizes: Sequence[float],
    scores: Sequence[float],
    marks: Sequence[Mark],
    window: tuple[float, float] | None,
) -> Markup:
    """Every candidate as a dot (Wu & Lee 2020, figure 3), the sizes allowed shaded."""
    with style():
        figure = Figure((WIDTH, 3.4))
        axes = figure.subplots()
        axes.scatter(np.divide(sizes, 1000), scores, s=22, color=BLUE, alpha=0.55, linewidths=0)
        low, high = _limits(sizes, window)
        if window:
            axes.axvspan(window[0] / 1000, window[1] / 1000, color=GREEN, alpha=0.08, linewidth=0)
            for edge in window:
                axes.axvline(edge / 1000, color=GREEN, linewidth=0.8)
        axes.axhline(float(np.median(scores)), color=MUTED, linewidth=0.9, linestyle="--")
        for mark, symbol, color in zip(marks, "Ds", (ORANGE, GREEN), strict=False):
            axes.scatter(
                mark.size / 1000,
                mark.score,
                s=64,
                marker=symbol,
                color=color,
                edgecolors=INK,
                linewidths=0.8,
                label=mark.label,
                zorder=3,
            )
        axes.plot([], [], color=MUTED, linewidth=0.9, linestyle="--", label="median candidate")
        axes.set_xlim(low / 1000, high / 1000)
        axes.set_xlabel("size in kB (1000 bytes)")
        label_score(axes.yaxis, objective)
        figure.legend(loc="outside upper left", ncols=1)
        return render(figure, "sizes", f"{words(objective)} of every candidate against its size")


def histograms(
    objective: str, gene: str, groups: Mapping[str, Sequence[float]], name: str = "histograms"
) -> Markup:
    """Normalised histograms of scores, one for each value of a gene (Wu & Lee 2020, figure 4)."""
    everything = np.concatenate([np.asarray(scores) for scores in groups.values()])
    bins = int(np.clip(np.sqrt(everything.size) * 1.5, 5, 20))
    edges = np.histogram_bin_edges(everything, bins)
    with style():
        figure = Figure((WIDTH, 0.6 + 0.62 * len(groups)))
        rows = figure.subplots(len(groups), sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, (value, scores), color in zip(rows, groups.items(), _shades(groups), strict=True):
            weights = np.full(len(scores), 1 / len(scores))
            axes.hist(scores, edges, weights=weights, color=color, edgecolor="white", linewidth=0.5)
            axes.axvline(float(np.mean(scores)), color=INK, linewidth=1.1)
            axes.set_ylabel(
                f"{short(value, 14)}\n(n = {len(scores)})",
                rotation=0,
                ha="right",
                va="center",
                labelpad=8,
            )
            axes.yaxis.set_major_locator(MaxNLocator(2))
            axes.yaxis.set_major_formatter(_percentages)
            axes.tick_params(labelsize=8)
        figure.supylabel(words(gene), fontsize=9)
        label_score(rows[-1].xaxis, objective)
        title = f"share of candidates by {words(objective)}, for each {words(gene)}"
        return render(figure, name, title)


@dataclass(frozen=True)
class Curve:
    """One training: its name, and a value for each epoch from the first on, NaN where unknown."""

    label: str
    training: Sequence[float]
    validation: Sequence[float]


def learning_curves(metric_name: str, curves: Sequence[Curve], name: str) -> Markup:
    """Draw validation (solid) and training (dotted) values by epoch; a sole kind is solid."""
    validated = any(np.isfinite(curve.validation).any() for curve in curves)
    with style():
        figure = Figure((WIDTH, 3.0))
        axes = figure.subplots()
        for curve, color in zip(curves, SERIES, strict=False):
            for values, line in (
                (curve.validation, "-"),
                (curve.training, ":" if validated else "-"),
            ):
                known = np.asarray(values, dtype=float)
                if np.isfinite(known).any():
                    epochs = np.arange(1, known.size + 1)
                    dot = "o" if known.size == 1 else None
                    axes.plot(epochs, known, line, marker=dot, markersize=4, color=color)
            axes.plot([], [], "-", color=color, label=curve.label)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        if (last := max(len(curve.training) for curve in curves)) > 1:
            axes.set_xlim(1, last)
        label_score(axes.yaxis, metric_name)
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, name, f"{words(metric_name)} against epochs")


def confusion_matrix(matrix: NDArray[np.int64], classes: Sequence[str], name: str) -> Markup:
    """Clips by their label (rows) and the network's answer (columns); shaded by share of row."""
    many = len(classes) > _CELLS_WITH_NUMBERS
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(1.5 + 0.34 * len(classes), 3.2, 8.5))
    size = 5 if len(classes) > 30 else 8
    with style():
        figure = Figure((side, side))
        axes = figure.subplots()
        axes.grid(False)
        # A square root, as a few clips in the wrong cell are what one looks for.
        axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        labels = [short(label, 18) for label in classes]
        axes.set_xticks(range(len(classes)), labels, rotation=90, fontsize=size)
        axes.set_yticks(range(len(classes)), labels, fontsize=size)
        axes.tick_params(length=0)
        axes.set_xlabel("answer")
        axes.set_ylabel("label")
        for (row, column), clips in np.ndenumerate(matrix):
            if clips and not many:
                color = "white" if shares[row, column] > 0.3 else INK
                axes.text(
                    column, row, str(clips), ha="center", va="center", color=color, fontsize=8
                )
        return render(figure, name, "confusion matrix: labels in rows, answers in columns")


def costs_by_block(blocks: Sequence[str], parameters: Sequence[int], macs: Sequence[int]) -> Markup:
    """Where a network's parameters and multiply-accumulates lie: two bars for each block."""
    with style():
        figure = Figure((WIDTH, 0.9 + 0.3 * len(blocks)))
        axes = figure.subplots()
        rows = np.arange(len(blocks))
        for offset, values, color, label in (
            (-0.19, parameters, BLUE, "parameters"),
            (0.19, macs, ORANGE, "multiply-accumulates"),
        ):
            total = max(sum(values), 1)
            axes.barh(rows + offset, np.divide(values, total), 0.36, color=color, label=label)
        axes.set_yticks(rows, [short(block, 28) for block in blocks])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(_percentages)
        axes.set_xlabel("share of the whole network")
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, "costs", "parameters and multiply-accumulates by block")


def _limits(sizes: Sequence[float], window: tuple[float, float] | None) -> tuple[float, float]:
    """Return the sizes shown: the whole window, unless the candidates fill only a corner of it."""
    low, high = min(sizes), max(sizes)
    if window and high - low > 0.25 * (window[1] - window[0]):
        low, high = min(low, window[0]), max(high, window[1])
    margin = 0.05 * (high - low) or 0.05 * high
    return max(0.0, low - margin), high + margin


def label_score(axis: Axis, objective: str) -> None:
    """Name an axis after what it shows, with few ticks; shares are percentages."""
    axis.set_label_text(words(objective))
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if metric(objective, 0.0).endswith("%"):
        axis.set_major_formatter(_percentages)


def _percentages(value: float, _: float | None = None) -> str:
    """Return a tick's label; matplotlib gives its position, too."""
    return percent(value, None)


def _shades(groups: Mapping[str, object]) -> list[tuple[float, float, float, float]]:
    return [tuple(c) for c in mpl.colormaps["viridis"](np.linspace(0.15, 0.8, len(groups)))]


def short(text: str, most: int) -> str:
    """At most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
