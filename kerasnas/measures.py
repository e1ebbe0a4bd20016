"""The measures that candidates are compared by: names of scores and costs, and their directions."""

from __future__ import annotations

from typing import Literal

COSTS = (
    "parameters",
    "macs",
    "int8_bytes",
    "float16_bytes",
    "peak_activation_bytes",
    "arena_bytes",
)
"""Figures of an architecture that are known before it is trained; lower is better."""

_SCORES = {
    False: (
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "channel_macro_f1",
        "loss",
        "balanced_loss",
    ),
    True: (
        "mean_average_precision",
        "mean_auc",
        "equal_error_rate",
        "accuracy",
        "macro_f1",
        "micro_f1",
        "loss",
    ),
}
_LOWER_IS_BETTER = frozenset((*COSTS, "loss", "balanced_loss", "equal_error_rate"))


def scores(multi_label: bool) -> tuple[str, ...]:
    """Return the names of the scores that a network can have, the usual one first."""
    return _SCORES[multi_label]


def direction(name: str) -> Literal["min", "max"]:
    """Return whether lower (`min`) or higher (`max`) values of a score or cost are better."""
    return "min" if name in _LOWER_IS_BETTER else "max"


def superlative(name: str) -> str:
    """Return `lowest` or `highest`, whichever is best."""
    return "lowest" if direction(name) == "min" else "highest"
