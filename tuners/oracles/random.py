"""Random search inside a size window, as a KerasTuner oracle.

Wu & Lee, "Searching for efficient network architectures for acoustic scene classification",
DCASE 2020, section 3.3: every choice equally probable, candidates outside the window are drawn
again. Deviation: no architecture is tried twice.
"""

from __future__ import annotations

from typing import Any

from ..core.propose import uniform
from .base import Oracle


class SizeConstrainedRandomOracle(Oracle):
    """Random search that never spends a trial on a candidate outside the window.

    ```python
    oracle = SizeConstrainedRandomOracle(
        "val_accuracy", max_trials=20, cost=parameters_of, maximum=50_000
    )
    tuner = keras_tuner.Tuner(oracle, hypermodel=build)
    ```
    Suggestion k depends on the seed, k, and which values were suggested before, so any number of
    workers gets the same trials.

    Args:
        objective: As in `Oracle`.
        max_trials: Trials in all.
        **settings: The window (`cost`, `minimum`, `maximum`), `objectives`, `seed`, `time_budget`,
            `patience` and the other arguments of `Oracle`.

    Raises:
        SearchError: As from `Oracle`.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        **settings: Any,
    ) -> None:
        super().__init__(objective, max_trials, propose=uniform, **settings)
