"""Numbers as a report prints them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

_SHARES = ("accuracy", "agreement")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def metric(name: str, value: float | None) -> str:
    """A metric's value: accuracies as percentages, others as they are."""
    if value is None:
        return "–"
    return percent(value) if name.endswith(_SHARES) else f"{value:.3f}"


def words(name: str) -> str:
    """A metric's or a column's name in words."""
    return name.replace("_", " ")


def count(value: float | None) -> str:
    """A whole number with thousands apart."""
    return "–" if value is None else f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def kilobytes(value: float | None) -> str:
    """Bytes in units of 1000."""
    return "–" if value is None else f"{value / 1000:.1f} kB"


def millions(value: float | None) -> str:
    """Multiply-accumulates in units of a million."""
    if value is None:
        return "–"
    return f"{value / 1e6:.1f} M" if value >= 1e5 else count(value)


def duration(seconds: float | None) -> str:
    """Seconds in the units that a person would use."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def mean_and_deviation(name: str, values: Sequence[float]) -> str:
    """Mean and standard deviation of a sample of the metric `name`, or of `bytes`.

    Of a single value, the value alone.
    """
    if name == "bytes":
        scale, digits, unit = 0.001, 1, " kB"
    elif name.endswith(_SHARES):
        scale, digits, unit = 100, 1, " %"
    else:
        scale, digits, unit = 1, 3, ""
    mean = f"{scale * fmean(values):.{digits}f}"
    if len(values) < 2:
        return mean + unit
    return f"{mean} ± {scale * stdev(values):.{digits}f}{unit}"
