"""How many decisions a file may lose, at most, given what it lost on the clips at hand.

Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17, 1998, section 4: the score interval, which keeps
its level where few pairs differ, or none, unlike the mean plus a multiple of its standard error.

Deviation: Tango's pairs differ by -1, 0 or 1. Clips with several tags differ by shares in between;
the restricted likelihood is then that of a distribution on the values seen and on 1, the worst that
can be (Owen, "Empirical likelihood", 2001, section 2), which for -1, 0 and 1 is Tango's.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_HALVINGS = 40


def upper_bound(differences: NDArray[np.float64], confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper confidence bound of a mean paired difference.

    Args:
        differences: For each clip, the share of its decisions that only the reference got right
            less the share that only the file got right, in -1..1; at least one clip.
        confidence: Level of the bound, in 0..1.

    Returns:
        The bound, in -1..1: the largest mean that a score test at that level does not reject.
    """
    quantile = NormalDist().inv_cdf(confidence)
    values, counts = np.unique(np.asarray(differences, np.float64), return_counts=True)
    clips = int(counts.sum())
    mean = float(values @ counts) / clips
    low, high = mean, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        deviation = sqrt(_variance(values, counts, middle) / clips)
        if middle - mean <= quantile * deviation:
            low = middle
        else:
            high = middle
    return low


def _variance(values: NDArray[np.float64], counts: NDArray[np.int64], mean: float) -> float:
    """Return the variance of the likeliest distribution with a mean above that of the values.

    Its shares are `counts / (n * (1 + slope * (values - mean)))`, and what is missing to one lies
    on the value 1.
    """
    share = counts / counts.sum()
    distance = values - mean
    low, high = -1 / max(1 - mean, 1e-12), 0.0
    for _ in range(_HALVINGS):
        slope = (low + high) / 2
        factor = 1 + slope * distance
        if np.all(factor > 0) and share @ (distance / factor) < 0:
            high = slope
        else:
            low = slope
    factor = np.maximum(1 + high * distance, 1e-12)
    likely = share / factor
    worst = max(1 - float(likely.sum()), 0.0)
    return float(likely @ distance**2 + worst * (1 - mean) ** 2)
