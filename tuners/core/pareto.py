"""Pareto fronts: constrained domination, non-dominated sort, crowding, hypervolume.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002: sections III-A (sorting), III-B (crowding)
and VI-A (constraints). Every function takes objectives to be **minimised**; `minimised` turns
others round. Fronts and the exact hypervolume are moocore's, in C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Direction = Literal["min", "max"]


def minimised(values: Array, directions: Sequence[Direction]) -> Array:
    """`values` `(points, objectives)` with those to be maximised negated."""
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in directions])
    return np.asarray(values, float).reshape(-1, len(signs)) * signs


def sort_fronts(objectives: Array, violations: Array | None = None) -> list[NDArray[np.intp]]:
    """Points by front: the first is dominated by none, the next only by the first, and so on.

    A feasible point dominates every infeasible one, and of two infeasible ones the less violating
    dominates: behind the fronts of the feasible points come the others, by their violation.

    Args:
        objectives: `(points, objectives)`, minimised; infinities are allowed, NaN is not.
        violations: `(points,)`, 0 for feasible; None when all are.

    Returns:
        Ascending indices of each front; together they are all points once.
    """
    if violations is None:
        return _grouped(_ranks(objectives))
    broken = np.maximum(violations, 0)
    feasible = np.flatnonzero(broken == 0)
    infeasible = np.flatnonzero(broken)
    _, order = np.unique(broken[infeasible], return_inverse=True)
    fronts = [feasible[front] for front in _grouped(_ranks(objectives[feasible]))]
    return fronts + [infeasible[front] for front in _grouped(order)]


def _ranks(objectives: Array) -> NDArray[np.integer]:
    """Return the front of each point, counted from 0."""
    import moocore

    ranks: NDArray[np.integer] = moocore.pareto_rank(_finite(objectives))
    return ranks


def _finite(objectives: Array) -> Array:
    """Numbers in the order of `objectives`, column by column: moocore misjudges infinite ones."""
    values = np.asarray(objectives, float)
    if np.isfinite(values).all():
        return values
    places = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(places, axis=1).astype(float)


def _grouped(ranks: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Ascending indices of the points of each rank."""
    # NumPy sorts the small type in linear time.
    order = ranks.astype(np.uint16 if len(ranks) < 1 << 16 else np.intp).argsort(kind="stable")
    ends = np.bincount(ranks).cumsum().tolist()
    return [order[start:end] for start, end in pairwise([0, *ends])]


def first_front(objectives: Array, violations: Array | None = None) -> NDArray[np.intp]:
    """Ascending indices of the points that none dominates, in memory linear in the points."""
    import moocore

    broken = np.zeros(len(objectives)) if violations is None else np.maximum(violations, 0)
    if not len(objectives):
        return np.array([], np.intp)
    candidates = np.flatnonzero(broken == broken.min())
    if broken.min() > 0:
        return candidates
    points = _finite(objectives[candidates])
    return candidates[moocore.is_nondominated(points, keep_weakly=True)]


def crowding(objectives: Array) -> Array:
    """Crowding distance of each point of one front: infinite at the ends of an objective.

    Deviation, as in pymoo, which orders points alike: the mean over the objectives, not the sum.

    Args:
        objectives: `(points, objectives)` of one front.

    Returns:
        `(points,)`; an objective that is equal for all points or reaches from or to infinity adds
        nothing. One or two points are all ends.
    """
    count, width = objectives.shape
    if count <= 2:
        return np.full(count, np.inf)
    order = np.argsort(objectives, axis=0, kind="stable")
    distance = np.zeros(count)
    for column in range(width):
        indices = order[:, column]
        values = objectives[indices, column]
        low, high = values[[0, -1]].tolist()
        if low == high or math.isinf(low) or math.isinf(high):
            continue
        distance[indices[1:-1]] += (values[2:] - values[:-2]) / (high - low)
        distance[indices[[0, -1]]] = np.inf
    return distance / width


def hypervolume(objectives: Array, reference: Sequence[float]) -> float:
    """Return the volume that the points dominate, up to the reference point.

    Args:
        objectives: `(points, objectives)`, minimised.
        reference: `(objectives,)`; points that are not better than it everywhere add nothing.
    """
    import moocore

    bound = np.asarray(reference, float)
    points = np.asarray(objectives, float).reshape(-1, len(bound))
    points = points[(points < bound).all(-1)]
    return float(moocore.hypervolume(points, ref=bound)) if len(points) else 0.0
