"""Which trials are best: several objectives, never added together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core import pareto
from .errors import SearchError
from .objective import Objective
from .trial import Trial


def ranking(
    trials: Sequence[Trial], objectives: Sequence[Objective], name: str | None = None
) -> list[Trial]:
    """Completed trials, the best in one objective (default: the first) first.

    Less violation goes before a better objective, and of equals the earlier trial.

    Raises:
        SearchError: There is no objective of that name.
    """
    by_name = {objective.name: objective for objective in objectives}
    name = objectives[0].name if name is None else name
    if name not in by_name:
        raise SearchError(f"no objective {name!r}: there are {', '.join(by_name)}")
    sign = -1.0 if by_name[name].direction == "max" else 1.0
    return sorted(
        _completed(trials), key=lambda trial: (trial.violation, sign * _value(trial, name))
    )


def pareto_front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[Trial, ...]:
    """Completed trials that no other dominates (constrained domination), in the given order."""
    completed = _completed(trials)
    violations = np.array([trial.violation for trial in completed])
    front = pareto.first_front(points(completed, objectives), violations)
    return tuple(completed[index] for index in front)


def dominated_volume(
    trials: Sequence[Trial], objectives: Sequence[Objective], reference: Sequence[float]
) -> float:
    """Return the hypervolume of the feasible completed trials.

    Args:
        trials: In any order.
        objectives: What spans the volume.
        reference: The worst value of each objective, in their order and own direction.
    """
    if len(reference) != len(objectives):
        raise SearchError(f"the reference {reference!r} needs {len(objectives)} values")
    feasible = [trial for trial in _completed(trials) if trial.violation <= 0]
    directions = [objective.direction for objective in objectives]
    bound = pareto.minimised(np.asarray(reference, float), directions)[0]
    return pareto.hypervolume(points(feasible, objectives), bound.tolist())


def _value(trial: Trial, name: str) -> float:
    value = trial.metrics[name]
    assert value is not None  # a trial without a finite objective is not completed
    return value


def _completed(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.status == "completed"]


def points(trials: Sequence[Trial], objectives: Sequence[Objective]) -> pareto.Array:
    """Completed trials' metrics, `(trials, objectives)`, minimised."""
    rows = [[_value(trial, name) for name, _ in objectives] for trial in trials]
    return pareto.minimised(
        np.array(rows, float), [objective.direction for objective in objectives]
    )
