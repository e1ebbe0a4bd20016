"""The type of arrays, and numbers that JSON can hold."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Features, scores, labels and weights."""


def finite_or_none(value: float | None) -> float | None:
    """Return a number; None where it is not finite, for which JSON has no word."""
    return value if value is not None and isfinite(value) else None
