"""NSGA-II as a KerasTuner oracle; the search itself, its source and deviations are in `nsga2`."""

from __future__ import annotations

from typing import Any

from ..nsga2.algorithm import NSGA2, Variation
from .base import Oracle


class NSGA2Oracle(Oracle):
    """A search for a Pareto front of several objectives.

    ```python
    oracle = NSGA2Oracle(
        "val_accuracy", max_trials=200, cost=parameters_of, objectives=[("cost", "min")],
        population=20, exploitation=0.8,
    )
    tuner = keras_tuner.Tuner(oracle, hypermodel=build)
    tuner.search(...)
    oracle.pareto_front()
    ```
    The default settings are those of a search of 4 480 candidates; in one that has fewer than
    `15 * population` trials they suggest random values only.

    Args:
        objective: As in `Oracle`.
        max_trials: Trials in all.
        population: As in `NSGA2`; so are the next five. A `synchronous` search lets KerasTuner's
            workers wait for each other, so one that dies keeps the others waiting.
        exploitation: As in `NSGA2`.
        mutations: As in `NSGA2`.
        variation: As in `NSGA2`: "published" is Li et al.'s own.
        entrants: As in `NSGA2`.
        synchronous: As in `NSGA2`.
        **settings: The window (`cost`, `minimum`, `maximum`), `objectives`, `seed`, `time_budget`,
            `patience` and the other arguments of `Oracle`.

    Raises:
        SearchError: As from `Oracle`, and what `NSGA2` refuses.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        *,
        population: int = NSGA2.population,
        exploitation: float | tuple[float, float] = NSGA2.exploitation,
        mutations: int = NSGA2.mutations,
        variation: Variation = NSGA2.variation,
        entrants: int = NSGA2.entrants,
        synchronous: bool = NSGA2.synchronous,
        **settings: Any,
    ) -> None:
        propose = NSGA2(population, exploitation, mutations, variation, entrants, synchronous)
        super().__init__(objective, max_trials, propose=propose, **settings)
