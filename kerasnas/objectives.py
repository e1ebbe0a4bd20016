"""What candidates can be compared by: the names of scores and costs, and where better ones lie."""

from __future__ import annotations

from typing import Literal

COSTS = ("parameters", "macs", "int8_bytes", "float16_bytes", "peak_activation_bytes")
"""Figures of an architecture, known before it is trained; less is better."""

_SCORES = {
    False: ("accuracy", "balanced_accuracy", "macro_f1", "channel_macro_f1", "loss"),
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
_LESS = frozenset((*COSTS, "loss", "equal_error_rate"))


def scores(multi_label: bool) -> tuple[str, ...]:
    """Names of what a network can be scored by, the usual one first."""
    return _SCORES[multi_label]


def direction(name: str) -> Literal["min", "max"]:
    """Where better values of a score or cost lie."""
    return "min" if name in _LESS else "max"


def superlative(name: str) -> str:
    """`lowest` or `highest`, whichever is best."""
    return "lowest" if direction(name) == "min" else "highest"
