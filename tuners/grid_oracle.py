"""Grid search as a KerasTuner oracle that resumes; the search itself is in `grid`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .genes import Values
from .grid import Grid
from .oracle import Oracle
from .propose import size_window


class GridOracle(Oracle):
    """Every combination of a space of finitely many, one after another.

    ```python
    oracle = GridOracle("val_accuracy")
    tuner = keras_tuner.Tuner(oracle, hypermodel=build)
    ```

    Args:
        objective: As in `Oracle`.
        max_trials: Trials in all; None until the space is exhausted.
        cost: From values to a size in any unit, bytes for example; the window is in that unit.
            None for no window.
        minimum: The least size that is accepted; None for any.
        maximum: The greatest; None for any.
        **settings: `objectives`, `seed`, `time_budget`, `patience` and the other arguments of
            `Oracle`. `patience` bounds how many combinations outside the window may follow one
            another.

    Raises:
        SearchError: As from `SizeConstrainedRandomOracle`; and from `create_trial` when a
            hyperparameter is a `Float` without a step.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = None,
        cost: Callable[[Values], float] | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
        **settings: Any,
    ) -> None:
        window = size_window(cost, minimum, maximum)
        super().__init__(objective, max_trials, propose=Grid(), window=window, **settings)
