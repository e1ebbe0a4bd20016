"""Weights as training leaves them, for measuring files of networks that nobody trained."""

from __future__ import annotations

from typing import Any

import numpy as np


def randomize(model: Any, rng: np.random.Generator) -> None:
    """Draw statistics and biases in place; kernels stay as they were initialised.

    A new network's are zeros and ones, and a file holds constants of the same bytes once.
    """
    for weight in model.weights:
        if weight.name in ("gamma", "variance", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("bias", "beta", "mean", "moving_mean"):
            weight.assign(rng.normal(0, 0.3, weight.shape))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization
            layer.finalize_state()
