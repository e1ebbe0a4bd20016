"""Numbers and names as a report prints them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from kerasnas.measures import COSTS
from kerasnas.words import words

_SPACE = "\N{NARROW NO-BREAK SPACE}"
_SHARES = ("accuracy", "agreement")
_KEPT = "keeps state: reset between clips"


def percent(value: float | None, digits: int | None = 1) -> str:
    """Return a share as a percentage; with `digits` None with as many as it takes."""
    if value is None:
        return "–"
    number = f"{100 * value:g}" if digits is None else f"{100 * value:.{digits}f}"
    return f"{number}{_SPACE}%"


def metric(name: str, value: float | None) -> str:
    """Return a metric's value: accuracies as percentages, others as they are."""
    if value is None:
        return "–"
    return percent(value) if name.endswith(_SHARES) else f"{value:.3f}"


def named(name: str, value: float | None) -> str:
    """Return a score or a cost; costs are whole numbers."""
    return count(value) if name in COSTS else metric(name, value)


def computing(form: str, recurrent: str | None, keeps_state: bool = False) -> str:
    """How an exported file and its recurrent layers compute, and that it keeps a state."""
    parts = (words(part) for part in (form, recurrent) if part)
    return " with ".join(parts) + (f"; {_KEPT}" if keeps_state else "")


def count(value: float | None) -> str:
    """Return a whole number with thousands apart."""
    return "–" if value is None else f"{round(value):,}".replace(",", _SPACE)


def counted(number: int, noun: str) -> str:
    """Return a whole number with its noun, in the plural unless it is 1."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def kilobytes(value: float | None) -> str:
    """Bytes in units of 1000."""
    return "–" if value is None else f"{value / 1000:.1f}{_SPACE}kB"


def megabytes(value: float | None) -> str:
    """Bytes in units of 1 000 000."""
    return "–" if value is None else f"{value / 1e6:.2f}{_SPACE}MB"


def millions(value: float | None) -> str:
    """Multiply-accumulates in units of a million, or all of them where they are fewer."""
    if value is None:
        return "–"
    return f"{value / 1e6:.1f}{_SPACE}M" if value >= 1e6 else count(value)


def duration(seconds: float | None) -> str:
    """Seconds in the units that a person would use."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.1f}{_SPACE}s" if seconds < 10 else f"{seconds:.0f}{_SPACE}s"
    minutes = round(seconds / 60)
    return (
        f"{minutes}{_SPACE}min"
        if minutes < 100
        else f"{minutes // 60}{_SPACE}h {minutes % 60:02d}{_SPACE}min"
    )


def milliseconds(value: float) -> str:
    """Return a latency."""
    return f"{value:.2f}{_SPACE}ms"


def mean_and_deviation(name: str, values: Sequence[float]) -> str:
    """Mean and standard deviation of a sample of the metric `name`, or of `bytes`.

    Of a single value, the value alone.
    """
    if name == "bytes":
        scale, digits, unit = 0.001, 1, f"{_SPACE}kB"
    elif name.endswith(_SHARES):
        scale, digits, unit = 100, 1, f"{_SPACE}%"
    else:
        scale, digits, unit = 1, 3, ""
    mean = f"{scale * fmean(values):.{digits}f}"
    if len(values) < 2:
        return mean + unit
    return f"{mean} ± {scale * stdev(values):.{digits}f}{unit}"
