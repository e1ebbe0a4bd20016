"""What so many hours prove of a rate of false alarms.

Alarms are counted by **source**: what sounds again is no new evidence. A source is heard once,
however often it was played: its hours are those of its longest play, and its alarms the mean over
its plays. Where no source has more than one alarm, the bound is the exact one-sided bound of a
Poisson rate (Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936): half of
the chi-square quantile with `2 (alarms + 1)` degrees of freedom, over the hours. Alarms of one
source hang together, so that those of a source with several are one observation of that weight: the
bound is then Fay & Feuer's for weighted sums of Poisson counts ("Confidence intervals for directly
standardized rates: a method based on the gamma distribution", Statistics in Medicine 16, 1997,
section 2), of which the exact one is the case of equal weights.

Without an alarm, 95 % need `-ln(0.05)` = 3.0 hours for a bound of 1 an hour: 0.5 an hour needs
5.99 distinct hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log
from typing import Literal

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Source:
    """What was heard of one source.

    Attributes:
        hours: Of its longest play.
        played: Of all its plays together, hours.
        alarms: In all its plays.
    """

    hours: float
    played: float
    alarms: int

    @property
    def weight(self) -> float:
        """Alarms of the source heard once."""
        return self.alarms * self.hours / self.played if self.played else 0.0


@dataclass(frozen=True)
class Rate:
    """False alarms per hour, and what is proven of them.

    Attributes:
        alarms: Counted with each source heard once.
        hours: Distinct ones.
        lower: One-sided 95 % lower bound of alarms per hour.
        upper: One-sided 95 % upper bound of alarms per hour; None without an hour.
    """

    alarms: float
    hours: float
    lower: float
    upper: float | None

    @property
    def per_hour(self) -> float | None:
        """Alarms per hour; None without an hour."""
        return self.alarms / self.hours if self.hours else None

    def verdict(self, limit: float) -> Literal["passed", "not proven", "failed"]:
        """Return whether the rate is shown to be at most `limit` alarms per hour.

        `failed` where it is shown to be more, `not proven` where the hours show neither.
        """
        if self.upper is not None and self.upper <= limit:
            return "passed"
        return "failed" if self.lower > limit else "not proven"


def rate(sources: Iterable[Source], confidence: float = CONFIDENCE) -> Rate:
    """Return the rate of alarms over sources, with its bound.

    Args:
        sources: Each distinct source once.
        confidence: Of the bound.
    """
    known = list(sources)
    hours = sum(source.hours for source in known)
    weights = [source.weight for source in known if source.alarms]
    alarms = sum(weights)
    if not hours:
        return Rate(alarms, 0.0, 0.0, None)
    low, high = lower_bound(weights, confidence), upper_bound(weights, confidence)
    return Rate(alarms, hours, low / hours, high / hours)


def upper_bound(weights: Iterable[float], confidence: float = CONFIDENCE) -> float:
    """Return the upper bound of the expected number of alarms.

    Args:
        weights: Alarms of each source that has any.
        confidence: That the bound is not exceeded.
    """
    from scipy.stats import chi2

    known = list(weights)
    # A further alarm could be as heavy as the heaviest that was seen, and one at least.
    largest = max([1.0, *known])
    total, variance = sum(known), sum(weight**2 for weight in known)
    scale = (variance + largest**2) / (total + largest)
    return float(scale / 2 * chi2.ppf(confidence, 2 * (total + largest) / scale))


def lower_bound(weights: Iterable[float], confidence: float = CONFIDENCE) -> float:
    """Return the lower bound of the expected number of alarms; arguments as of `upper_bound`."""
    from scipy.stats import chi2

    known = list(weights)
    total, variance = sum(known), sum(weight**2 for weight in known)
    if not total:
        return 0.0
    scale = variance / total
    return float(scale / 2 * chi2.ppf(1 - confidence, 2 * total / scale))


def hours_needed(limit: float, confidence: float = CONFIDENCE) -> float:
    """Return the distinct hours without an alarm that prove at most `limit` alarms per hour."""
    return -log(1 - confidence) / limit if limit else inf
