"""Grid search as a KerasTuner oracle that resumes; the search itself is in `grid`."""

from __future__ import annotations

from typing import Any

from ..grid import Grid
from .base import Oracle


class GridOracle(Oracle):
    """Every combination of a space of finitely many, one after another.

    ```python
    oracle = GridOracle("val_accuracy")
    tuner = keras_tuner.Tuner(oracle, hypermodel=build)
    ```

    Args:
        objective: As in `Oracle`.
        max_trials: Trials in all; None until the space is exhausted.
        **settings: The window (`cost`, `minimum`, `maximum`), `objectives`, `seed`, `time_budget`,
            `patience` and the other arguments of `Oracle`. `patience` bounds how many combinations
            outside the window may follow one another.

    Raises:
        SearchError: As from `Oracle`; and from `create_trial` when a
            hyperparameter is a `Float` without a step.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(objective, max_trials, propose=Grid(), **settings)
