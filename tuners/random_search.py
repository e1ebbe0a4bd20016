"""Random search inside a size window, as a KerasTuner oracle.

Wu & Lee, "Searching for efficient network architectures for acoustic scene classification",
DCASE 2020, section 3.3: every choice equally probable, candidates outside the window are drawn
again. Deviation: no architecture is tried twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .genes import Values
from .oracle import Oracle
from .propose import size_window, uniform


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
        cost: From values to a size in any unit, bytes for example; the window is in that unit.
            None for plain random search.
        minimum: The least size that is accepted; None for any.
        maximum: The greatest; None for any.
        **settings: `objectives`, `seed`, `time_budget`, `patience` and the other arguments of
            `Oracle`.

    Raises:
        SearchError: A bound without a cost, an empty window, another wrong argument; and from
            `create_trial` when no candidate fits, with the sizes that were seen.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        cost: Callable[[Values], float] | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
        **settings: Any,
    ) -> None:
        window = size_window(cost, minimum, maximum)
        super().__init__(objective, max_trials, propose=uniform, window=window, **settings)
