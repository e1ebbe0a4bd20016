"""The controller as a KerasTuner oracle; source and deviations are in `controller`."""

from __future__ import annotations

from typing import Any

from ..controller.algorithm import Controller, Update
from .base import Oracle


class ControllerOracle(Oracle):
    """Search by a recurrent controller that learns from the first objective.

    ```python
    oracle = ControllerOracle("val_accuracy", max_trials=350)
    tuner = keras_tuner.Tuner(oracle, hypermodel=build)
    tuner.search(...)
    oracle.curve()
    ```
    A search of fewer trials needs a controller with a smaller budget, and one that learns faster.

    Args:
        objective: As in `Oracle`; the first is the reward.
        max_trials: Trials in all. Those beyond the controller's budget are drawn from the trained
            controller; the paper's are 250 and 100.
        controller: What learns, with its settings; None for `Controller()`.
        **settings: The window (`cost`, `minimum`, `maximum`), `objectives`, `seed`, `time_budget`,
            `patience` and the other arguments of `Oracle`.

    Raises:
        SearchError: As from `Oracle`; and from `create_trial` when a
            hyperparameter is a `Float` without a step.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 350,
        *,
        controller: Controller | None = None,
        **settings: Any,
    ) -> None:
        self.controller = Controller() if controller is None else controller
        super().__init__(objective, max_trials, propose=self.controller, **settings)

    def curve(self) -> tuple[Update, ...]:
        """Reward, entropy and exploration at every update so far."""
        return self.controller.curve(self.search.history)
