"""The picture of decisions over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from kerasnas.report.html.elements import Markup
from kerasnas.report.html.svg import MUTED, SERIES, render, style
from kerasnas.report.pictures.charts import WIDTH, short

_LINEAR_BELOW = 0.1  # alarms an hour


def misses_against_alarms(
    curves: Mapping[str, Sequence[tuple[float, float]]], asked: float
) -> Markup:
    """Draw the share of events that are missed against false alarms per hour.

    Args:
        curves: By class, alarms per hour and shares for each threshold.
        asked: Alarms per hour that may be, as a line.
    """
    with style():
        figure = Figure((WIDTH, 3.2))
        axes = figure.subplots()
        for index, (name, points) in enumerate(curves.items()):
            alarms, missed = zip(*sorted(set(points)), strict=True)
            line = ("-", "--", ":")[index // len(SERIES) % 3]
            color = SERIES[index % len(SERIES)]
            axes.plot(alarms, missed, line, color=color, marker=".", label=short(name, 24))
        axes.axvline(asked, color=MUTED, linewidth=0.9, linestyle="--", label="asked for")
        axes.set_xscale("symlog", linthresh=_LINEAR_BELOW)
        axes.set_xlim(left=0)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("false alarms per hour")
        axes.set_ylabel("share of events missed")
        figure.legend(loc="outside upper left", ncols=2)
        return render(figure, "streams", "misses against false alarms per hour, by class")
